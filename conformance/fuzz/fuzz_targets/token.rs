//! Access tokens: any text; and any claims under a good signature, as a peer that was taken over sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use twinlink_core::Secret;
use twinlink_fuzz::{Signer, moment};
use twinlink_trust::{Trusted, TrustedParty, verify_token};

struct World {
    trusted: Trusted,
    signer: Signer,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let signer = Signer::new("https://city.example/", moment());
    let authorities = signer.authority.certificate_pem().to_owned();
    let party = TrustedParty::own(&signer.identity, authorities);
    World {
        trusted: Trusted::new(party, Vec::new()).unwrap(),
        signer,
    }
});

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let text = match mode % 2 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        _ => world.signer.sign("at+jwt", rest),
    };
    let thumbprint = world.signer.identity.thumbprint();
    let _ = verify_token(&Secret::new(text), &world.trusted, thumbprint, moment());
});
