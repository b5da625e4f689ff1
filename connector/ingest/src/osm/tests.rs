use super::collect::Collector;
use super::*;

fn position(longitude: i32, latitude: i32) -> Position {
    Position {
        longitude,
        latitude,
    }
}

fn options() -> OsmOptions {
    OsmOptions {
        name: "map.osm.pbf".to_owned(),
        base: NamedNode::new_unchecked("https://city.example/id/"),
        graph: GraphName::DefaultGraph,
        limit: 1_000,
    }
}

fn square() -> Collector {
    let mut collector = Collector::default();
    for (id, longitude, latitude) in [(1, 0, 0), (2, 0, 10), (3, 10, 10), (4, 10, 0)] {
        collector.place_node(id, position(longitude, latitude));
    }
    collector
}

fn way(nodes: &[i64], tags: &[(&str, &str)]) -> (Vec<Feature>, OsmReport) {
    let mut collector = square();
    collector.take_way(7, nodes.to_vec(), &tags.to_vec());
    collector.finish()
}

#[test]
fn tags_tell_the_classes() {
    let classes =
        |tags: &[(&'static str, &'static str)], node| tags::classes(tags.iter().copied(), node);
    assert_eq!(classes(&[("building", "yes")], false), [Class::Building]);
    assert_eq!(
        classes(&[("amenity", "school"), ("building", "school")], false),
        [Class::Building, Class::School]
    );
    assert_eq!(classes(&[("amenity", "clinic")], true), [Class::Clinic]);
    assert_eq!(
        classes(&[("emergency", "fire_hydrant")], true),
        [Class::Hydrant]
    );
    assert_eq!(
        classes(&[("amenity", "fire_station")], false),
        [Class::FireStation]
    );
    assert_eq!(classes(&[("amenity", "parking")], true), [Class::CarPark]);
    assert_eq!(classes(&[("highway", "residential")], false), [Class::Road]);
    assert!(classes(&[("highway", "street_lamp")], true).is_empty());
    assert!(classes(&[("building", "no")], false).is_empty());
    assert!(classes(&[("building", "entrance")], true).is_empty());
    assert!(classes(&[("amenity", "cafe")], true).is_empty());
}

#[test]
fn positions_are_written_exactly() {
    let wkt = |longitude, latitude| Shape::Point(position(longitude, latitude)).wkt();
    assert_eq!(wkt(249_384_567, 601_699_000), "POINT(24.9384567 60.1699)");
    assert_eq!(wkt(-5, 0), "POINT(-0.0000005 0)");
    assert_eq!(wkt(-1_800_000_000, 900_000_000), "POINT(-180 90)");
}

#[test]
fn closed_ways_are_areas_and_roads_are_lines() {
    let (buildings, _) = way(&[1, 2, 3, 4, 1], &[("building", "yes")]);
    assert_eq!(
        buildings[0].shape.wkt(),
        "POLYGON((0 0, 0 0.000001, 0.000001 0.000001, 0.000001 0, 0 0))"
    );
    let (roads, report) = way(&[1, 2, 3, 4, 1], &[("highway", "service")]);
    assert_eq!(roads[0].shape.class(), "LineString");
    assert_eq!(report.to_string(), "1 roads");
    let (squares, _) = way(&[1, 2, 3, 1], &[("highway", "pedestrian"), ("area", "yes")]);
    assert_eq!(squares[0].shape.class(), "Polygon");
}

#[test]
fn incomplete_areas_are_counted_and_left_out() {
    for nodes in [&[1, 2, 3, 99, 1][..], &[1, 2, 3, 4], &[1, 2, 1], &[]] {
        let (features, report) = way(nodes, &[("building", "yes")]);
        assert!(features.is_empty());
        assert_eq!(report.incomplete, 1, "{nodes:?}");
    }
    let (_, report) = way(&[1, 99], &[("natural", "coastline")]);
    assert_eq!(report, OsmReport::default());
}

#[test]
fn roads_keep_the_pieces_inside_the_extract() {
    let (roads, report) = way(&[1, 2, 99, 3, 98, 97, 3, 4], &[("highway", "service")]);
    assert_eq!(
        roads[0].shape.wkt(),
        "MULTILINESTRING((0 0, 0 0.000001), (0.000001 0.000001, 0.000001 0))"
    );
    assert_eq!(report.roads_cut, 1);
    let (roads, report) = way(&[1, 99, 2], &[("highway", "service")]);
    assert!(roads.is_empty());
    assert_eq!(report.incomplete, 1);
}

#[test]
fn several_areas_are_one_shape() {
    let ring = |at| {
        vec![
            position(at, 0),
            position(at, 9),
            position(at + 9, 0),
            position(at, 0),
        ]
    };
    let area = |at, holes| Area {
        outer: ring(at),
        holes,
    };
    let shape = Shape::Areas(vec![area(0, Vec::new()), area(20, vec![ring(21)])]);
    assert_eq!(shape.class(), "MultiPolygon");
    let brackets: String = shape.wkt().matches(['(', ')']).collect();
    assert_eq!(brackets, "((())(()()))");
}

#[test]
fn facts_name_class_place_and_origin() {
    let (features, _) = way(
        &[1, 2, 3, 1],
        &[
            ("amenity", "school"),
            ("building:levels", "4"),
            ("name", "Koulu \"1\""),
            ("note:secret", "not kept"),
        ],
    );
    let facts: Vec<String> = features[0]
        .facts(&options().base, &GraphName::DefaultGraph)
        .iter()
        .map(ToString::to_string)
        .collect();
    let subject = "<https://city.example/id/way/7>";
    for expected in [
        "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://w3id.org/twinlink/ns#School>",
        "<http://www.w3.org/2000/01/rdf-schema#label> \"Koulu \\\"1\\\"\"",
        "<http://www.w3.org/ns/prov#wasDerivedFrom> <https://www.openstreetmap.org/way/7>",
        "<https://wiki.openstreetmap.org/wiki/Key:building:levels> \"4\"^^<http://www.w3.org/2001/XMLSchema#integer>",
        "<http://www.opengis.net/ont/geosparql#hasGeometry> <https://city.example/id/way/7/geometry>",
    ] {
        assert!(
            facts.contains(&format!("{subject} {expected}")),
            "{expected}, {facts:#?}"
        );
    }
    assert_eq!(facts.len(), 9);
}

#[test]
fn broken_extracts_are_errors() {
    let header = [
        b"\0\0\0\x0d\x0a\x09OSMHeader".as_slice(),
        b"\x18\x05",
        b"oops!",
    ]
    .concat();
    for (bytes, reason) in [
        (&b""[..], "no header block"),
        (b"not a map at all", "too big"),
        (&header, "protobuf"),
        (
            b"\0\0\0\x0b\x0a\x07OSMData\x18\x04\x0a\x02\x0a\0",
            "before the header",
        ),
    ] {
        let error = read_osm(bytes, &options(), |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("map.osm.pbf: "), "{error}");
        assert!(error.contains(reason), "{error} should contain {reason}");
    }
}
