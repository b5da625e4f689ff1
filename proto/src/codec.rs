//! Protobuf messages to bytes and back, as `tonic_prost` does it, but for one thing: a message that cannot be decoded
//! is the sender's fault.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{self, BufferSettings, DecodeBuf};
use tonic::{Code, Status};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// How the text of a status starts that says that a message could not be decoded.
pub const MALFORMED: &str = "malformed message";

/// The codec of `twinlink.v1`.
#[derive(Debug, Clone)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

/// Decodes; what is malformed is [`Code::InvalidArgument`], not [`Code::Internal`].
#[derive(Debug, Clone)]
pub struct Decoder<U>(ProstDecoder<U>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Decoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        codec::Codec::encoder(&mut ProstCodec::<T, U>::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decoder(codec::Codec::decoder(&mut ProstCodec::<T, U>::default()))
    }
}

impl<U: Message + Default> codec::Decoder for Decoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        self.0.decode(bytes).map_err(|status| {
            Status::new(
                Code::InvalidArgument,
                format!("{MALFORMED}: {}", status.message()),
            )
        })
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}
