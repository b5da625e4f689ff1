//! Places for connections: so many together, for each address before it is known who connects, and for each organisation
//! from then on. Nobody's connections keep others out.

use oxrdf::NamedNode;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Who is at the other end of a connection: in the extensions of every request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// Whoever has not shown a certificate that holds, by address; of IPv6 by the network, which is one client's.
    Stranger(IpAddr),
    /// Whose certificate was verified in the handshake.
    Organisation(NamedNode),
}

/// All places of a listener.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    free: Arc<Semaphore>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    peers: HashMap<Peer, usize>,
    strangers: usize,
}

/// A place among all, not yet anybody's.
pub(super) type Place = OwnedSemaphorePermit;

/// A connection's place. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    peer: Peer,
    _place: Place,
}

/// There are as many connections as there may be of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {most} connections of {whose} already")]
pub(super) struct Full {
    most: usize,
    whose: &'static str,
}

impl Peer {
    /// Whoever connects from this address.
    pub(crate) fn stranger(address: IpAddr) -> Self {
        Self::Stranger(match address.to_canonical() {
            // Who has one address of a network has as many as it likes.
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 => v4,
        })
    }

    /// Of a stranger, where it connects from.
    pub(crate) fn address(&self) -> Option<&IpAddr> {
        match self {
            Self::Stranger(address) => Some(address),
            Self::Organisation(_) => None,
        }
    }
}

impl Seats {
    /// So many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            free: Arc::new(Semaphore::new(most)),
            taken: Mutex::default(),
        })
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> Result<Place, AcquireError> {
        Arc::clone(&self.free).acquire_owned().await
    }

    /// Waits until all places are free.
    pub(super) async fn empty(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        // It is never closed: an error would mean that nobody has a place.
        drop(self.free.acquire_many(all).await);
    }

    /// Gives the place to who connects from this address.
    ///
    /// # Errors
    /// [`Full`].
    // INVARIANT(seats-for-others): an address has at most an eighth of all places, all strangers together three quarters,
    // an organisation a quarter.
    pub(super) fn seat(self: &Arc<Self>, place: Place, address: IpAddr) -> Result<Seat, Full> {
        let peer = Peer::stranger(address);
        self.take(&peer)?;
        Ok(Seat {
            seats: Arc::clone(self),
            peer,
            _place: place,
        })
    }

    fn take(&self, peer: &Peer) -> Result<(), Full> {
        let full = |most, whose| Err(Full { most, whose });
        let is_stranger = matches!(peer, Peer::Stranger(_));
        let (most, whose) = match is_stranger {
            true => ((self.most / 8).max(1), "this address"),
            false => ((self.most / 4).max(1), "this organisation"),
        };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let strangers = (self.most - self.most / 4).max(1);
        if is_stranger && taken.strangers >= strangers {
            return full(strangers, "clients who have not shown who they are");
        }
        if taken.peers.get(peer).is_some_and(|count| *count >= most) {
            return full(most, whose);
        }
        *taken.peers.entry(peer.clone()).or_default() += 1;
        taken.strangers += usize::from(is_stranger);
        Ok(())
    }

    fn give_back(&self, peer: &Peer) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.peers.get_mut(peer) {
            *count -= 1;
            if *count == 0 {
                taken.peers.remove(peer);
            }
        }
        taken.strangers -= usize::from(matches!(peer, Peer::Stranger(_)));
    }
}

impl Seat {
    /// Whose it is.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// It is this organisation's from here on, and no longer its address's.
    ///
    /// # Errors
    /// [`Full`].
    pub(super) fn prove(&mut self, organisation: NamedNode) -> Result<(), Full> {
        let peer = Peer::Organisation(organisation);
        self.seats.take(&peer)?;
        let before = std::mem::replace(&mut self.peer, peer);
        self.seats.give_back(&before);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.give_back(&self.peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    /// INVARIANT(seats-for-others)
    #[tokio::test]
    async fn seats_for_others() {
        let seats = Seats::new(16);
        let mut strangers = Vec::new();
        let mut refused = 0;
        for last in 0..16 {
            for _ in 0..2 {
                match seats.seat(seats.place().await.unwrap(), address(last)) {
                    Ok(seat) => strangers.push(seat),
                    Err(_) => refused += 1,
                }
            }
            let third = seats.seat(seats.place().await.unwrap(), address(last));
            assert!(third.is_err(), "{last}");
        }
        assert_eq!((strangers.len(), refused), (12, 20));
        // Who shows who it is makes room for the next one.
        let peer = NamedNode::new_unchecked("https://peer.example/");
        for (known, seat) in strangers.iter_mut().take(5).enumerate() {
            assert_eq!(seat.prove(peer.clone()).is_ok(), known < 4, "{known}");
        }
        let other = seats.seat(seats.place().await.unwrap(), address(0));
        other
            .unwrap()
            .prove(NamedNode::new_unchecked("https://other.example/"))
            .unwrap();
        drop(strangers);
        let taken = seats.taken.lock().unwrap();
        assert!(taken.peers.is_empty() && taken.strangers == 0);
        assert_eq!(seats.free.available_permits(), 16);
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let stranger = |text: &str| Peer::stranger(text.parse().unwrap());
        assert_eq!(stranger("2001:db8::1"), stranger("2001:db8::ffff:1"));
        assert_ne!(stranger("2001:db8::1"), stranger("2001:db8:0:1::1"));
        assert_eq!(stranger("::ffff:192.0.2.1"), stranger("192.0.2.1"));
    }
}
