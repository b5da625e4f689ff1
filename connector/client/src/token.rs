//! Access tokens: where they come from.

use crate::Error;
use futures::future::{BoxFuture, FutureExt, ready};
use std::fmt;

/// An RFC 9068 access token in its compact form. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Gives the token for the next call. Asked anew for every call, so that tokens can be short-lived.
pub trait TokenSource: Send + Sync {
    /// A token that is valid now.
    ///
    /// # Errors
    /// [`Error::Token`] where there is none.
    fn token(&self) -> BoxFuture<'_, Result<Token, Error>>;
}

impl Token {
    /// Takes the token's compact form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The same token for every call.
impl TokenSource for Token {
    fn token(&self) -> BoxFuture<'_, Result<Self, Error>> {
        ready(Ok(self.clone())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_token() {
        assert!(!format!("{:?}", Token::new("secret")).contains("secret"));
    }
}
