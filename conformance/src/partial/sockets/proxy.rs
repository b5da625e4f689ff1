//! A network between two connectors that fails: bytes that come late, changed, not at all, or of which the rest is lost.

use super::super::peers::lock;
use crate::chance::Chance;
use crate::library::Fault;
use rustix::net::sockopt::set_socket_linger;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is wrong with the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    /// Nothing.
    Good,
    /// Nobody listens: a connection ends as soon as it is there.
    Refuses,
    /// After so many bytes to who asks, the connection is reset.
    Resets,
    /// After so many, it ends as if there were no more.
    Ends,
    /// Each piece takes a moment.
    Slow,
    /// After so many, a byte is another.
    Flips,
    /// After so many, nothing more is read or written.
    Stalls,
}

/// How long one read may take before it is looked whether the network is as it was.
const GLANCE: Duration = Duration::from_millis(20);

/// After how many bytes it fails: within a handshake, and within answers.
const BYTES: &[usize] = &[0, 500, 4_000, 6_000, 9_000];

#[derive(Debug)]
struct State {
    network: Network,
    /// How often it changed.
    age: usize,
    chance: Chance,
    is_over: bool,
}

/// Listens in the place of a connector, until it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Stands before the connector that listens at this port of loopback, once that is told.
    pub(super) fn start(target: impl FnOnce() -> u16 + Send + 'static) -> Result<Self, Fault> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault)?;
        let port = listener.local_addr().map_err(fault)?.port();
        let state = Arc::new(Mutex::new(State {
            network: Network::Good,
            age: 0,
            chance: Chance::new(u64::from(port)),
            is_over: false,
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target()));
            for client in listener.incoming() {
                if lock(&shared).is_over {
                    return;
                }
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(target) else {
                    continue;
                };
                if is(&shared, Network::Refuses) {
                    continue;
                }
                let (Ok(up), Ok(down)) = (client.try_clone(), server.try_clone()) else {
                    continue;
                };
                let over = Arc::new(AtomicBool::new(false));
                let (one, other) = (Arc::clone(&shared), Arc::clone(&shared));
                let is_over = Arc::clone(&over);
                std::thread::spawn(move || pass((up, server), &one, &is_over, false));
                std::thread::spawn(move || pass((down, client), &other, &over, true));
            }
        });
        Ok(Self { port, state })
    }

    /// From now on the network is like this; connections that are open go on in it.
    pub(super) fn set(&self, network: Network) {
        let mut state = lock(&self.state);
        state.network = network;
        state.age += 1;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        lock(&self.state).is_over = true;
        // Wakes the listener.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn is(state: &Mutex<State>, network: Network) -> bool {
    lock(state).network == network
}

/// Passes bytes on, until there are none or the network loses them.
fn pass(
    (mut from, mut to): (TcpStream, TcpStream),
    state: &Mutex<State>,
    over: &AtomicBool,
    is_answer: bool,
) {
    let is_reset = matches!(go_on(&mut from, &mut to, state, over, is_answer), Ok(true));
    over.store(true, Ordering::SeqCst);
    if is_reset {
        // Whoever closes it last resets it.
        set_socket_linger(&to, Some(Duration::ZERO)).ok();
        return;
    }
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}

/// Whether it is to be reset.
fn go_on(
    from: &mut TcpStream,
    to: &mut TcpStream,
    state: &Mutex<State>,
    over: &AtomicBool,
    is_answer: bool,
) -> io::Result<bool> {
    from.set_read_timeout(Some(GLANCE))?;
    to.set_nodelay(true)?;
    let mut buffer = vec![0; 2048];
    let (mut age, mut left) = (usize::MAX, 0);
    while !over.load(Ordering::SeqCst) {
        let network = {
            let mut state = lock(state);
            if state.is_over {
                break;
            }
            if age != state.age {
                age = state.age;
                left = state.chance.one(BYTES).copied().unwrap_or_default();
            }
            state.network
        };
        let is_cut = left == 0 && is_answer;
        match network {
            Network::Stalls if is_cut => {
                std::thread::sleep(GLANCE);
                continue;
            }
            Network::Resets if is_cut => return Ok(true),
            Network::Ends if is_cut => break,
            Network::Refuses => break,
            _ => {}
        }
        let is_counted = is_answer && left > 0;
        buffer.resize(if is_counted { left.min(2048) } else { 2048 }, 0);
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        buffer.truncate(count);
        if network == Network::Flips
            && is_cut
            && let Some(last) = buffer.last_mut()
        {
            *last ^= 1;
        }
        if network == Network::Slow {
            std::thread::sleep(GLANCE / 4);
        }
        left = left.saturating_sub(count);
        to.write_all(&buffer)?;
    }
    Ok(false)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
