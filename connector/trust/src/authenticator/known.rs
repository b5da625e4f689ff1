//! Who was verified a moment ago, with the same token over the same certificate: two signatures are then not verified anew.

use crate::Trusted;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use twinlink_core::{Caller, Secret};

/// Then it is verified again, whatever it says of itself: lists of revoked certificates come to their end, too.
const MOMENT: Duration = Duration::seconds(10);
/// The most of one generation; two are kept.
const GENERATION: usize = 4096;

/// Callers that were verified a moment ago.
// INVARIANT(known-only-for-a-moment): what was verified once is taken again only for the same token, certificate and set of
// what is trusted, before either ends, and within ten seconds.
#[derive(Debug, Default)]
pub(super) struct KnownCallers(Mutex<Generations>);

/// What was shown, and nothing that could be shown again.
type Shown = [u8; 32];

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Shown, Known>,
    old: HashMap<Shown, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    caller: Caller,
    trusted: Arc<Trusted>,
    from: OffsetDateTime,
    until: OffsetDateTime,
}

impl KnownCallers {
    /// The caller, if it was verified a moment ago. Whether its token was revoked since is for who asks.
    pub(super) fn find(
        &self,
        shown: &Shown,
        trusted: &Arc<Trusted>,
        now: OffsetDateTime,
    ) -> Option<Caller> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match all.young.get(shown) {
            Some(known) => known.clone(),
            None => {
                let known = all.old.remove(shown)?;
                all.keep(*shown, known.clone());
                known
            }
        };
        let holds = Arc::ptr_eq(&known.trusted, trusted)
            // The clock may have been set back.
            && known.from <= now
            && now < known.until;
        holds.then_some(known.caller)
    }

    /// Keeps a caller that was verified at `now`, at most until its token or certificate ends.
    pub(super) fn keep(
        &self,
        shown: Shown,
        caller: &Caller,
        trusted: &Arc<Trusted>,
        now: OffsetDateTime,
        ends: OffsetDateTime,
    ) {
        let known = Known {
            caller: caller.clone(),
            trusted: Arc::clone(trusted),
            from: now,
            until: ends.min(now + MOMENT),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.keep(shown, known);
    }
}

impl Generations {
    fn keep(&mut self, shown: Shown, known: Known) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(shown, known);
    }
}

/// Token and certificate in one digest, so that no token lies about in memory.
pub(super) fn shown(token: &Secret, certificate: &[u8]) -> Shown {
    let mut digest = Sha256::new();
    // Its length keeps the two apart.
    digest.update(
        u64::try_from(certificate.len())
            .unwrap_or(u64::MAX)
            .to_be_bytes(),
    );
    digest.update(certificate);
    digest.update(token.reveal());
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::TokenAuthenticator;
    use crate::testing::{Organisation, now};
    use time::Duration;
    use twinlink_core::{Authenticator as _, Credentials, Refusal, Secret};

    struct Case {
        city: Organisation,
        police: Organisation,
        rescue: Organisation,
        authenticator: TokenAuthenticator,
    }

    impl Case {
        fn new() -> Self {
            let [city, police, rescue] = ["city", "police", "rescue"]
                .map(|name| Organisation::new(&format!("https://{name}.example/")));
            let authenticator = TokenAuthenticator::new(city.registry(&[&police, &rescue]));
            Self {
                city,
                police,
                rescue,
                authenticator,
            }
        }

        fn token(&self) -> Secret {
            let request = self.police.request(&self.city);
            self.police.issuer().issue(&request, now()).unwrap()
        }

        fn ask(
            &self,
            token: &Secret,
            of: &Organisation,
            later: Duration,
        ) -> Result<String, Refusal> {
            let credentials = Credentials {
                token: Some(token.clone()),
                certificate: Some(of.identity().certificate().to_vec()),
                possession: None,
                envelope: None,
                trace: None,
            };
            let caller = self
                .authenticator
                .authenticate(&credentials, now() + later)?;
            Ok(caller.token_id().to_owned())
        }
    }

    #[test]
    fn known_only_for_a_moment() {
        let case = Case::new();
        let token = case.token();
        let none = Duration::ZERO;
        let first = case.ask(&token, &case.police, none).unwrap();
        assert_eq!(case.ask(&token, &case.police, none).unwrap(), first);
        // Another certificate, another token, one letter more.
        assert!(case.ask(&token, &case.rescue, none).is_err());
        assert_ne!(case.ask(&case.token(), &case.police, none).unwrap(), first);
        let forged = Secret::new(format!("{}A", token.reveal()));
        assert!(case.ask(&forged, &case.police, none).is_err());
        // When it has ended.
        let ended = case
            .ask(&token, &case.police, Duration::hours(30))
            .unwrap_err();
        assert_eq!(ended.check(), "certificate");
        // What is trusted has changed, though it says the same.
        let again = case.city.registry(&[&case.rescue]);
        assert!(case.ask(&token, &case.police, none).is_ok());
        let other = TokenAuthenticator {
            registry: again,
            ..case.authenticator.clone()
        };
        let credentials = Credentials {
            token: Some(token.clone()),
            certificate: Some(case.police.identity().certificate().to_vec()),
            possession: None,
            envelope: None,
            trace: None,
        };
        assert!(other.authenticate(&credentials, now()).is_err());
    }

    #[test]
    fn revoked_while_known() {
        let case = Case::new();
        let token = case.token();
        let id = case.ask(&token, &case.police, Duration::ZERO).unwrap();
        let issuer = &case.police.id;
        case.authenticator
            .revoked()
            .restore(issuer, &id, now(), now());
        let refused = case.ask(&token, &case.police, Duration::ZERO).unwrap_err();
        assert_eq!(refused.check(), "token.revoked");
    }
}
