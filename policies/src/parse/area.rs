//! Compiles areas to the nodes that lie in them.

use super::pattern::nodes;
use super::pattern::polarity::Side;
use super::reader::Reader;
use crate::guard::NodePattern;
use oxrdf::{Literal, Term};
use spargebra::algebra::GraphPattern;
use spargebra::{Query, SparqlParser};
use twinlink_vocab::geo;

/// The longest text of an area, in bytes.
const MOST_BYTES: usize = 64 << 10;
/// The most points of an area.
const MOST_POINTS: usize = 2_048;
/// The coordinate system of all areas: WGS 84, longitude before latitude, in degrees.
const CRS84: &str = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";

/// The nodes whose geometries all lie within the area; or, over, those of which one meets it, or may.
///
/// A node's geometries are what `geo:hasGeometry` and `geo:hasDefaultGeometry` lead to, and their texts `geo:asWKT`; a
/// geometry is a node too.
pub(super) fn area(reader: &mut Reader<'_>, term: &Term, side: Side) -> Option<NodePattern> {
    let area = match term {
        Term::Literal(literal) if literal.datatype() == geo::WKT_LITERAL => read(literal.value()),
        _ => Err("its type must be geo:wktLiteral".to_owned()),
    };
    let area = match area {
        Ok(text) => Literal::new_typed_literal(text, geo::WKT_LITERAL),
        Err(fault) => {
            reader.malformed(format_args!("tl:area: {fault}"));
            return None;
        }
    };
    let text = query(&area, side);
    match SparqlParser::new().parse_query(&text) {
        Ok(Query::Select {
            pattern: GraphPattern::Project { inner, .. },
            ..
        }) => Some(nodes(*inner)),
        _ => None,
    }
}

fn query(area: &Literal, side: Side) -> String {
    let has = format!("({}|{})", geo::HAS_GEOMETRY, geo::HAS_DEFAULT_GEOMETRY);
    let wkt = geo::AS_WKT;
    let function = |name| format!("<http://www.opengis.net/def/function/geosparql/{name}>");
    let (within, meets) = (function("sfWithin"), function("sfIntersects"));
    let untold = format!("?this {has} ?geometry FILTER(NOT EXISTS {{ ?geometry {wkt} ?any }})");
    match side {
        Side::Under => format!(
            "SELECT ?this WHERE {{ ?this {has}?/{wkt} ?text \
             FILTER(NOT EXISTS {{ ?this {has}?/{wkt} ?other FILTER(!COALESCE({within}(?other, {area}), false)) }} \
             && NOT EXISTS {{ {untold} }}) }}"
        ),
        Side::Over => format!(
            "SELECT ?this WHERE {{ {{ ?this {has}?/{wkt} ?text FILTER(COALESCE({meets}(?text, {area}), true)) }} \
             UNION {{ {untold} }} }}"
        ),
    }
}

/// A polygon or several, written in one way.
fn read(text: &str) -> Result<String, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("its text is longer than {MOST_BYTES} bytes"));
    }
    let mut wkt = Wkt {
        rest: text.trim(),
        points: 0,
    };
    if let Some(rest) = wkt.rest.strip_prefix('<') {
        let (system, rest) = rest.split_once('>').unwrap_or((rest, ""));
        if system != CRS84 {
            return Err(format!("its coordinate system must be <{CRS84}>"));
        }
        wkt.rest = rest.trim_start();
    }
    let word = wkt.word();
    let shape = match word.as_str() {
        "POLYGON" => wkt.polygon(),
        "MULTIPOLYGON" => wkt.list(Wkt::polygon),
        _ => Err("it must be a POLYGON or a MULTIPOLYGON".to_owned()),
    }?;
    if !wkt.rest.is_empty() {
        return Err("something follows after its end".to_owned());
    }
    Ok(format!("{word}{shape}"))
}

/// What is left to read.
struct Wkt<'a> {
    rest: &'a str,
    points: usize,
}

impl Wkt<'_> {
    fn word(&mut self) -> String {
        let end = self.rest.find(|c: char| !c.is_ascii_alphabetic());
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        word.to_ascii_uppercase()
    }

    fn polygon(&mut self) -> Result<String, String> {
        self.list(Self::ring)
    }

    fn ring(&mut self) -> Result<String, String> {
        let mut points = Vec::new();
        let ring = self.list(|wkt| {
            let point = wkt.point()?;
            points.push(point);
            Ok(format!("{} {}", point.0, point.1))
        })?;
        if points.len() < 4 || points.first() != points.last() {
            return Err("a ring has four points or more, the last of them the first".to_owned());
        }
        Ok(ring)
    }

    fn point(&mut self) -> Result<(f64, f64), String> {
        self.points += 1;
        if self.points > MOST_POINTS {
            return Err(format!("it has more than {MOST_POINTS} points"));
        }
        let point = (self.number(180.0)?, self.number(90.0)?);
        Ok(point)
    }

    fn number(&mut self, most: f64) -> Result<f64, String> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+' | 'e' | 'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let value = number.parse::<f64>().ok();
        let value = value.filter(|value| value.abs() <= most);
        let Some(value) = value else {
            return Err(format!(
                "{number:?} is no coordinate: longitude, then latitude, in degrees"
            ));
        };
        self.rest = rest.trim_start();
        // Negative zero is written in another way, and is no other place.
        Ok(value + 0.0)
    }

    fn list(
        &mut self,
        item: impl FnMut(&mut Self) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut item = item;
        self.expect('(')?;
        let mut items = vec![item(self)?];
        while self.rest.starts_with(',') {
            self.expect(',')?;
            items.push(item(self)?);
        }
        self.expect(')')?;
        Ok(format!("({})", items.join(",")))
    }

    fn expect(&mut self, character: char) -> Result<(), String> {
        let Some(rest) = self.rest.strip_prefix(character) else {
            return Err(format!("{character:?} is missing"));
        };
        self.rest = rest.trim_start();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn areas_are_written_in_one_way() {
        for (text, expected) in [
            (
                " polygon (( 4.0 52, 5 52.0 ,5 53,4 52 )) ",
                Ok("POLYGON((4 52,5 52,5 53,4 52))"),
            ),
            (
                "<http://www.opengis.net/def/crs/OGC/1.3/CRS84> MULTIPOLYGON(((0 0,1 0,1e0 1,-0 0)))",
                Ok("MULTIPOLYGON(((0 0,1 0,1 1,0 0)))"),
            ),
            (
                "POLYGON((0 0,1 0,1 1,0 0),(0 0,1 0,1 1,0 0))",
                Ok("POLYGON((0 0,1 0,1 1,0 0),(0 0,1 0,1 1,0 0))"),
            ),
            ("POLYGON((0 0,1 0,1 1,0 1))", Err("a ring")),
            ("POLYGON((0 0,1 0,0 0))", Err("a ring")),
            ("POLYGON EMPTY", Err("'('")),
            ("POLYGON Z((0 0 0,1 0 0,1 1 0,0 0 0))", Err("'('")),
            ("POINT(4 52)", Err("POLYGON")),
            ("POLYGON((0 0,1 0,1 100,0 0))", Err("coordinate")),
            ("POLYGON((0 0,1 0,1 NaN,0 0))", Err("coordinate")),
            ("POLYGON((0 0,1 0,1 1,0 0)) x", Err("follows")),
            ("POLYGON((0 0,1 0,1 1,0 0)", Err("')'")),
            (
                "<http://www.opengis.net/def/crs/EPSG/0/28992> POLYGON((0 0,1 0,1 1,0 0))",
                Err("coordinate system"),
            ),
            ("", Err("POLYGON")),
        ] {
            match (read(text), expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected),
                (Err(fault), Err(expected)) => assert!(fault.contains(expected), "{fault}"),
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
        let many = format!("POLYGON(({}0 0))", "0 0,".repeat(3_000));
        assert!(read(&many).unwrap_err().contains("points"));
        assert!(read(&" ".repeat(100_000)).unwrap_err().contains("bytes"));
    }
}
