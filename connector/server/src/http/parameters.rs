//! Parameters of a request, from its URL and from a form.

use super::fault::Fault;
use oxrdf::NamedNode;
use percent_encoding::percent_decode_str;
use std::time::Duration;
use twinlink_core::{DatasetChoice, Explain, Requirement};

/// What a request to the SPARQL endpoint may state: the protocol's own, and ours.
pub(super) const OF_SPARQL: [&str; 13] = [
    "query",
    "update",
    "default-graph-uri",
    "named-graph-uri",
    "using-graph-uri",
    "using-named-graph-uri",
    "federated",
    "require",
    "max-age",
    "explain",
    "purpose",
    "break-glass",
    "timeout",
];

/// What a request to the graph store may state.
pub(super) const OF_GRAPHS: [&str; 5] = ["graph", "default", "purpose", "break-glass", "timeout"];

/// What has no meaning here and is let pass: clients add the first three to each request beside what they accept
/// (SPARQLWrapper), and a token in a URL is not read, so that who shows one there only learns how to authenticate.
const PASSED_OVER: [&str; 4] = ["format", "output", "results", "access_token"];

/// Names and values, decoded once, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

/// What every request may state besides its question.
#[derive(Debug)]
pub(super) struct Options {
    /// `federated=true`: ask the peers too.
    pub(super) federated: bool,
    /// `require=all`, `require=exact`, `require=NUMBER` or `require=PARTICIPANT`, as often as one likes; and
    /// `max-age=SECONDS`, or `5m`, `12h`, `7d`: a source that changed last longer ago is stale.
    pub(super) require: Requirement,
    /// `explain=plan`, `explain=analyze`: how the answer is come by, as JSON in place of rows.
    pub(super) explain: Option<Explain>,
    /// `purpose=IRI`: repeats the token's.
    pub(super) purpose: Option<NamedNode>,
    /// `break-glass=IRI`: the declared incident for which the caller breaks the glass.
    pub(super) break_glass: Option<NamedNode>,
    /// `timeout=MILLISECONDS`: how long the caller is ready to wait.
    pub(super) patience: Option<Duration>,
}

impl Parameters {
    /// Decodes `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// 400 where what is decoded is not UTF-8.
    pub(super) fn decode(text: &str) -> Result<Self, Fault> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        Ok(Self(decoded.collect::<Result<_, Fault>>()?))
    }

    /// Both together: the URL's first, then the form's.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Knows all names: one that is misspelt would else be lost, and with it what the caller requires.
    ///
    /// # Errors
    /// 400, naming the first that is none of these.
    // INVARIANT(no-parameter-is-lost): a request with a parameter that means nothing here is not answered.
    pub(super) fn known(&self, names: &[&str]) -> Result<(), Fault> {
        let is_known = |name: &str| names.contains(&name) || PASSED_OVER.contains(&name);
        match self.0.iter().find(|(name, _)| !is_known(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Fault::invalid(
                "http.parameters",
                format_args!(
                    "there is no parameter `{name}` here: known are {}",
                    names.join(", ")
                ),
            )),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The value of a parameter that may be given once.
    ///
    /// # Errors
    /// 400 where it is given more often.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Fault> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            _ => Err(Fault::invalid(
                "http.parameters",
                format_args!("`{name}` is given more than once"),
            )),
        }
    }

    /// The IRI given once by a parameter.
    ///
    /// # Errors
    /// 400 where it is no absolute IRI, or given more often.
    pub(super) fn iri(&self, name: &str) -> Result<Option<NamedNode>, Fault> {
        self.one(name)?.map(|value| iri(name, value)).transpose()
    }

    /// The dataset that two parameters name, none where neither is given:
    /// <https://www.w3.org/TR/sparql11-protocol/#dataset>.
    ///
    /// # Errors
    /// 400 where one is no absolute IRI.
    pub(super) fn dataset(
        &self,
        default: &str,
        named: &str,
    ) -> Result<Option<DatasetChoice>, Fault> {
        let graphs = |name: &str| -> Result<Vec<NamedNode>, Fault> {
            self.all(name).map(|value| iri(name, value)).collect()
        };
        let choice = DatasetChoice {
            default_graphs: graphs(default)?,
            named_graphs: graphs(named)?,
        };
        Ok((choice != DatasetChoice::default()).then_some(choice))
    }

    /// What any request may state.
    ///
    /// # Errors
    /// 400, naming the parameter.
    pub(super) fn options(&self) -> Result<Options, Fault> {
        let federated = match self.one("federated")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(Fault::invalid(
                    "http.parameters",
                    format_args!("`federated` is `{other}`, expected `true` or `false`"),
                ));
            }
        };
        let patience = self.one("timeout")?.map(|value| {
            value.parse().map(Duration::from_millis).map_err(|_| {
                Fault::invalid(
                    "http.parameters",
                    format_args!("`timeout` is `{value}`, expected a number of milliseconds"),
                )
            })
        });
        let mut require = Requirement::default();
        for word in self.all("require") {
            let added = require.add(word);
            added.map_err(|problem| {
                Fault::invalid("http.parameters", format_args!("`require` {problem}"))
            })?;
        }
        if let Some(word) = self.one("max-age")? {
            let taken = require.no_older_than(word);
            taken.map_err(|problem| {
                Fault::invalid("http.parameters", format_args!("`max-age` {problem}"))
            })?;
        }
        let explain = match self.one("explain")? {
            None => None,
            Some("plan") => Some(Explain::Plan),
            Some("analyze") => Some(Explain::Analyze),
            Some(other) => {
                return Err(Fault::invalid(
                    "http.parameters",
                    format_args!("`explain` is `{other}`, expected `plan` or `analyze`"),
                ));
            }
        };
        Ok(Options {
            federated,
            require,
            explain,
            purpose: self.iri("purpose")?,
            break_glass: self.iri("break-glass")?,
            patience: patience.transpose()?,
        })
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Result<String, Fault> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(Fault::invalid(
            "http.parameters",
            "a parameter is not UTF-8 after percent-decoding",
        )),
    }
}

fn iri(name: &str, value: &str) -> Result<NamedNode, Fault> {
    NamedNode::new(value).map_err(|error| {
        Fault::invalid(
            "http.parameters",
            format_args!("`{name}` is `{value}`, which is not an absolute IRI: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once() {
        let parameters = Parameters::decode("a=1+2%2B3&b=%2531&c&&d=x=y").unwrap();
        assert_eq!(parameters.one("a").unwrap(), Some("1 2+3"));
        assert_eq!(parameters.one("b").unwrap(), Some("%31"));
        assert_eq!(parameters.one("c").unwrap(), Some(""));
        assert_eq!(parameters.one("d").unwrap(), Some("x=y"));
        assert_eq!(parameters.one("e").unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert!(Parameters::decode("a=%FF").is_err());
        for text in [
            "federated=yes",
            "federated=true&federated=true",
            "require=some",
            "require=0",
            "max-age=0",
            "max-age=soon",
            "max-age=5&max-age=6",
            "explain=please",
            "timeout=-1",
            "timeout=soon",
            "purpose=rescue",
            "break-glass=incident",
        ] {
            let parameters = Parameters::decode(text).unwrap();
            assert!(parameters.options().is_err(), "{text}");
        }
        let relative = Parameters::decode("default-graph-uri=data").unwrap();
        assert!(
            relative
                .dataset("default-graph-uri", "named-graph-uri")
                .is_err()
        );
    }

    /// INVARIANT(no-parameter-is-lost)
    #[test]
    fn no_parameter_is_lost() {
        let known = |text: &str| Parameters::decode(text).unwrap().known(&OF_SPARQL);
        for text in [
            "",
            "query=ASK{}&default-graph-uri=http://a/&named-graph-uri=http://b/&timeout=5",
            "update=CLEAR+ALL&using-graph-uri=http://a/&using-named-graph-uri=http://b/",
            "query=ASK{}&federated=true&require=all&max-age=5m&explain=plan&purpose=a&break-glass=b",
            "query=ASK{}&format=json&output=json&results=json",
        ] {
            assert!(known(text).is_ok(), "{text}");
        }
        for name in [
            "requires", "max_age", "maxage", "Require", "graph", "infer", "",
        ] {
            let Err(Fault::Refused(refusal, None)) = known(&format!("query=ASK{{}}&{name}=5"))
            else {
                panic!("{name} is taken");
            };
            let said = refusal.public();
            assert!(
                said.contains(&format!("`{name}`")) && said.contains("max-age"),
                "{said}"
            );
        }
        let graphs = |text: &str| Parameters::decode(text).unwrap().known(&OF_GRAPHS);
        assert!(graphs("default&purpose=a").is_ok() && graphs("default&require=all").is_err());
    }

    #[test]
    fn a_dataset_is_none_where_nothing_names_it() {
        let dataset = |text: &str| {
            let parameters = Parameters::decode(text).unwrap();
            parameters
                .dataset("default-graph-uri", "named-graph-uri")
                .unwrap()
        };
        assert_eq!(dataset("using-graph-uri=http://a/"), None);
        let named = dataset("named-graph-uri=http://a/&named-graph-uri=http://b/").unwrap();
        assert_eq!(named.named_graphs.len(), 2);
        assert!(named.default_graphs.is_empty());
    }
}
