//! Messages of the wire, and batches of rows as a peer sends them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use twinlink_proto::v1;

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    match mode % 4 {
        0 => drop(v1::QueryRequest::decode(rest)),
        1 => drop(v1::ImportRequest::decode(rest)),
        2 => drop(v1::QueryResponse::decode(rest)),
        _ => {
            let Some((width, rest)) = rest.split_first() else {
                return;
            };
            if let Ok(batch) = v1::Batch::decode(rest) {
                drop(twinlink_client::decode(batch, usize::from(*width)));
            }
        }
    }
});
