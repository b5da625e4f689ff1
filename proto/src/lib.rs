//! The wire: package `twinlink.v1` as gRPC messages, client and server stubs.
//!
//! Owns: `proto/twinlink/v1/connector.proto` and the code generated from it, which is committed so that a build needs
//! neither protoc nor a build script. Never: domain types, conversions, sockets. Enter at: [`v1`].
//!
//! After a change of the `.proto` run `TWINLINK_REGENERATE=1 cargo test -p twinlink-proto`.

mod codec;

pub use prost::Message;

pub use codec::{Codec, Decoder, MALFORMED};

/// The trailer in which a refusal says what became of each source: an encoded [`v1::Outcome`].
pub const OUTCOME: &str = "twinlink-outcome-bin";

/// Messages, client and server of `twinlink.v1`. Generated.
#[allow(
    missing_docs,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::use_self,
    clippy::allow_attributes_without_reason,
    rustdoc::all,
    reason = "generated code: its style is the generator's"
)]
pub mod v1 {
    include!("gen/twinlink.v1.rs");
}

/// The descriptors of `twinlink.v1` and of what it imports, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/twinlink.v1.bin");

/// The paths of all methods of `twinlink.v1`, as gRPC has them: `/twinlink.v1.Connector/Query`.
///
/// # Errors
/// [`prost::DecodeError`] where the descriptors cannot be read.
pub fn methods() -> Result<Vec<String>, prost::DecodeError> {
    let files = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?.file;
    let services = files.iter().flat_map(|file| {
        let package = file.package();
        file.service.iter().map(move |service| (package, service))
    });
    let methods = services.flat_map(|(package, service)| {
        let names = service.method.iter();
        names.map(move |method| format!("/{package}.{}/{}", service.name(), method.name()))
    });
    Ok(methods.collect())
}
