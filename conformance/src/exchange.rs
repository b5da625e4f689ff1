//! Tests that are requests and expected responses, in the words of <https://www.w3.org/TR/HTTP-in-RDF10/>.

use crate::answer::Answer;
use crate::compare::{same_answer, same_graph};
use crate::http::{DATA, Request, Response, SPARQL, Target, percent_encoded};
use crate::library::Fault;
use crate::manifest::{Node, mf};
use oxiri::Iri;
use oxrdf::{Graph, NamedNode, Triple};
use oxrdfio::{RdfFormat, RdfParser};
use sparesults::QueryResultsFormat;

/// A request, and what must come back.
#[derive(Debug)]
pub(crate) struct Step {
    request: Request,
    expected: Expected,
}

#[derive(Debug)]
struct Expected {
    statuses: Vec<Status>,
    shape: Option<Shape>,
    /// The placeholder under which later requests name what the `Location` field says.
    location: Option<String>,
    media_type: Option<String>,
    body: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Class(u16),
    Code(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A truth value, and which if that is said.
    Boolean(Option<bool>),
    Tabular,
    Rdf,
}

/// The requests of a test, in order.
pub(crate) fn steps(start: &Node<'_>) -> Result<Vec<Step>, Fault> {
    let action = start.need(&mf("action"))?;
    action.list(&ht("requests")).iter().map(step).collect()
}

/// Sends the requests in order, each after what came before it was found right.
///
/// # Errors
/// How a response differs, inside; a [`Fault`] where there was none.
pub(crate) fn play(target: &dyn Target, steps: &[Step]) -> Result<Result<(), String>, Fault> {
    let mut places: Vec<(String, String)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let mut request = step.request.clone();
        for (placeholder, place) in &places {
            request.path = request.path.replace(placeholder, &percent_encoded(place));
            if let Ok(text) = std::str::from_utf8(&request.body) {
                request.body = text.replace(placeholder, place).into_bytes();
            }
        }
        let response = target.send(&request)?;
        let url = format!("{}{}", target.root(), request.path);
        if let Err(reason) = step.expected.check(&response, &url) {
            let (number, method) = (number + 1, &request.method);
            return Ok(Err(format!(
                "request {number}, {method} {}: {reason}",
                request.path
            )));
        }
        if let (Some(placeholder), Some(place)) =
            (&step.expected.location, response.header("location"))
        {
            let base = Iri::parse(url.as_str()).ok();
            let absolute = base.and_then(|base| base.resolve(place).ok());
            let place = absolute.map_or_else(|| place.to_owned(), Iri::into_inner);
            places.push((placeholder.clone(), place));
        }
    }
    Ok(Ok(()))
}

fn step(node: &Node<'_>) -> Result<Step, Fault> {
    let text = |property| -> Result<String, Fault> {
        let value = node.need(&property)?;
        let text = value.text();
        text.ok_or_else(|| Fault::content(value.term(), "not a text"))
    };
    let request = Request {
        method: text(ht("methodName"))?,
        path: path(&text(ht("absolutePath"))?),
        headers: headers(node),
        body: match node.one(&ht("body")) {
            Some(body) => encoded(&body)?,
            None => Vec::new(),
        },
    };
    let expected = expected(&node.need(&ht("resp"))?)?;
    Ok(Step { request, expected })
}

/// The manifests' prefixes stand for whatever paths the endpoint under test has.
fn path(path: &str) -> String {
    if let Some(rest) = path.strip_prefix("/sparql/") {
        format!("{SPARQL}{rest}")
    } else if let Some(rest) = path.strip_prefix("/gsp") {
        format!("{DATA}{rest}")
    } else {
        path.to_owned()
    }
}

fn headers(node: &Node<'_>) -> Vec<(String, String)> {
    let fields = node.list(&ht("headers"));
    let field = |field: &Node<'_>| {
        let name = field.one(&ht("fieldName"))?.text()?;
        Some((name, field.one(&ht("fieldValue"))?.text()?))
    };
    fields.iter().filter_map(field).collect()
}

/// The bytes of a `cnt:ContentAsText`.
fn encoded(content: &Node<'_>) -> Result<Vec<u8>, Fault> {
    let text = content.need(&cnt("chars"))?.text().unwrap_or_default();
    let encoding = content.one(&cnt("characterEncoding"));
    let encoding = encoding.and_then(|node| node.text());
    match encoding.as_deref() {
        None | Some("UTF-8") => Ok(text.into_bytes()),
        // <https://www.rfc-editor.org/rfc/rfc2781#section-3.2>: big-endian, with its mark.
        Some("UTF-16") => Ok(std::iter::once(0xFEFF)
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect()),
        Some(other) => Err(Fault::content(
            content.term(),
            format_args!("unknown encoding {other}"),
        )),
    }
}

fn expected(response: &Node<'_>) -> Result<Expected, Fault> {
    let statuses: Vec<Status> = response
        .all(&mf("expectedStatus"))
        .map(|node| status(&node))
        .collect::<Result<_, _>>()?;
    let text = |property| response.one(&property).and_then(|node| node.text());
    let boolean = text(mf("expectedBoolean")).map(|value| matches!(value.as_str(), "true" | "1"));
    let shape = match text(mf("expectedFormat")).as_deref() {
        None if boolean.is_some() => Some(Shape::Boolean(boolean)),
        None => None,
        Some("boolean") => Some(Shape::Boolean(boolean)),
        Some("tabular") => Some(Shape::Tabular),
        Some("RDF") => Some(Shape::Rdf),
        Some(other) => {
            let detail = format_args!("unknown format {other}");
            return Err(Fault::content(response.term(), detail));
        }
    };
    let media_type = headers(response)
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let body = response.one(&ht("body"));
    Ok(Expected {
        statuses,
        shape,
        location: text(mf("expectedLocation")),
        media_type: media_type.map(|(_, value)| value),
        body: body.and_then(|body| body.one(&cnt("chars"))?.text()),
    })
}

fn status(node: &Node<'_>) -> Result<Status, Fault> {
    let local = node.local().unwrap_or_default();
    match local.as_str() {
        "StatusCode2xx" => Ok(Status::Class(2)),
        "StatusCode3xx" => Ok(Status::Class(3)),
        "StatusCode4xx" => Ok(Status::Class(4)),
        "StatusCode5xx" => Ok(Status::Class(5)),
        "OK" => Ok(Status::Code(200)),
        "Created" => Ok(Status::Code(201)),
        "NoContent" => Ok(Status::Code(204)),
        "BadRequest" => Ok(Status::Code(400)),
        "NotFound" => Ok(Status::Code(404)),
        _ => Err(Fault::content(node.term(), "unknown status")),
    }
}

impl Expected {
    fn check(&self, response: &Response, url: &str) -> Result<(), String> {
        let fits = |status: &Status| match status {
            Status::Class(class) => response.status / 100 == *class,
            Status::Code(code) => response.status == *code,
        };
        if !self.statuses.is_empty() && !self.statuses.iter().any(fits) {
            let wanted = &self.statuses;
            return Err(format!("expected {wanted:?}, got {}", response.summary()));
        }
        if let Some(wanted) = &self.media_type {
            same_media_type(wanted, response.media_type())?;
        }
        if self.location.is_some() && response.header("location").is_none() {
            return Err("the response has no Location".to_owned());
        }
        if let Some(shape) = self.shape {
            shape.check(response, url)?;
        }
        if let Some(body) = &self.body {
            let wanted = self.media_type.as_deref();
            let wanted = rdf(wanted.unwrap_or("text/turtle"), body.as_bytes(), url)?;
            let got = rdf(response.media_type(), &response.body, url)?;
            same_graph(&wanted, &got)?;
        }
        Ok(())
    }
}

impl Shape {
    fn check(self, response: &Response, url: &str) -> Result<(), String> {
        let media_type = response.media_type();
        let format = QueryResultsFormat::from_media_type(media_type);
        match (self, format) {
            (Self::Rdf, _) => rdf(media_type, &response.body, url).map(drop),
            (_, None) => Err(format!("`{media_type}` is no format for results")),
            (Self::Tabular, Some(QueryResultsFormat::Csv)) => Ok(()),
            (Self::Tabular, Some(format)) => match Answer::parse(format, &response.body)? {
                Answer::Table(_) => Ok(()),
                _ => Err("expected rows, got something else".to_owned()),
            },
            (Self::Boolean(wanted), Some(format)) => {
                let got = Answer::parse(format, &response.body)?;
                match (wanted, &got) {
                    (Some(wanted), _) => same_answer(&Answer::Boolean(wanted), &got),
                    (None, Answer::Boolean(_)) => Ok(()),
                    (None, _) => Err("expected a truth value, got something else".to_owned()),
                }
            }
        }
    }
}

/// Parameters count where both sides state them.
fn same_media_type(wanted: &str, got: &str) -> Result<(), String> {
    let normal = |text: &str| text.trim().to_ascii_lowercase();
    let (mut wanted_parts, mut got_parts) = (wanted.split(';'), got.split(';'));
    let essence_fits = wanted_parts.next().map(normal) == got_parts.next().map(normal);
    let wanted_charset = wanted_parts.map(normal).find(|p| p.starts_with("charset="));
    let got_charset = got_parts.map(normal).find(|p| p.starts_with("charset="));
    let charset_fits = match (wanted_charset, got_charset) {
        (Some(wanted), Some(got)) => wanted == got,
        _ => true,
    };
    if essence_fits && charset_fits {
        Ok(())
    } else {
        Err(format!("expected the media type `{wanted}`, got `{got}`"))
    }
}

/// Reads RDF of a media type.
pub(crate) fn rdf(media_type: &str, bytes: &[u8], base: &str) -> Result<Graph, String> {
    let format = RdfFormat::from_media_type(media_type)
        .ok_or_else(|| format!("`{media_type}` is no format for RDF"))?;
    let triples = RdfParser::from_format(format)
        .with_base_iri(base)
        .map_err(|error| error.to_string())?
        .for_slice(bytes)
        .map(|quad| quad.map(Triple::from))
        .collect::<Result<Graph, _>>();
    triples.map_err(|error| format!("the body is not {format}: {error}"))
}

fn ht(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://www.w3.org/2011/http#{local}"))
}

fn cnt(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://www.w3.org/2011/content#{local}"))
}

#[cfg(test)]
mod tests;
