//! Areas of relations: their ways joined end to end into rings, each hole put into the ring around it.
//! <https://wiki.openstreetmap.org/wiki/Relation:multipolygon>

use super::{Area, Position};

/// The areas of these outer and inner ways; `None` where a ring does not close or a hole lies in no ring.
pub(super) fn areas(outer: Vec<Vec<Position>>, inner: Vec<Vec<Position>>) -> Option<Vec<Area>> {
    let mut areas: Vec<Area> = rings(outer)?
        .into_iter()
        .map(|outer| Area {
            outer,
            holes: Vec::new(),
        })
        .collect();
    for hole in rings(inner)? {
        let around = areas
            .iter_mut()
            .find(|area| hole.iter().any(|position| contains(&area.outer, *position)))?;
        around.holes.push(hole);
    }
    (!areas.is_empty()).then_some(areas)
}

/// Whether these positions are a ring: at least a triangle, and closed.
pub(super) fn is_ring(positions: &[Position]) -> bool {
    positions.len() >= 4 && positions.first() == positions.last()
}

fn rings(mut ways: Vec<Vec<Position>>) -> Option<Vec<Vec<Position>>> {
    let mut rings = Vec::new();
    while let Some(mut ring) = ways.pop() {
        while !is_ring(&ring) {
            let end = *ring.last()?;
            let next = ways
                .iter()
                .position(|way| way.first() == Some(&end) || way.last() == Some(&end))?;
            let mut next = ways.swap_remove(next);
            if next.first() != Some(&end) {
                next.reverse();
            }
            ring.extend(next.into_iter().skip(1));
        }
        rings.push(ring);
    }
    Some(rings)
}

/// Whether the position lies inside the ring: a ray to the east crosses its sides an odd number of times.
fn contains(ring: &[Position], position: Position) -> bool {
    let (x, y) = (
        i128::from(position.longitude),
        i128::from(position.latitude),
    );
    let mut inside = false;
    for side in ring.windows(2) {
        let [from, to] = side else { continue };
        let (x1, y1) = (i128::from(from.longitude), i128::from(from.latitude));
        let (x2, y2) = (i128::from(to.longitude), i128::from(to.latitude));
        if (y1 > y) != (y2 > y) {
            // x < x1 + (y - y1) (x2 - x1) / (y2 - y1), without the division
            let (left, right) = ((x - x1) * (y2 - y1), (y - y1) * (x2 - x1));
            if (y2 > y1 && left < right) || (y2 < y1 && left > right) {
                inside = !inside;
            }
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(positions: &[(i32, i32)]) -> Vec<Position> {
        positions
            .iter()
            .map(|&(longitude, latitude)| Position {
                longitude,
                latitude,
            })
            .collect()
    }

    #[test]
    fn ways_are_joined_whichever_way_they_run() {
        let areas = areas(
            vec![
                path(&[(0, 0), (9, 0)]),
                path(&[(9, 9), (9, 0)]),
                path(&[(9, 9), (0, 9), (0, 0)]),
            ],
            vec![path(&[(2, 2), (4, 2), (4, 4), (2, 2)])],
        )
        .unwrap();
        assert_eq!(areas.len(), 1);
        assert_eq!(areas[0].outer.len(), 5);
        assert_eq!(areas[0].holes.len(), 1);
    }

    #[test]
    fn holes_go_into_the_ring_around_them() {
        let square = |at: i32, size: i32| {
            path(&[
                (at, 0),
                (at + size, 0),
                (at + size, size),
                (at, size),
                (at, 0),
            ])
        };
        let hole = path(&[(102, 2), (103, 2), (103, 3), (102, 2)]);
        let areas = areas(vec![square(0, 9), square(100, 9)], vec![hole.clone()]).unwrap();
        for area in areas {
            let holes = if area.outer[0].longitude == 100 {
                vec![hole.clone()]
            } else {
                Vec::new()
            };
            assert_eq!(area.holes, holes);
        }
    }

    #[test]
    fn open_rings_and_stray_holes_make_no_area() {
        let ring = path(&[(0, 0), (9, 0), (9, 9), (0, 0)]);
        let stray = path(&[(50, 50), (51, 50), (51, 51), (50, 50)]);
        assert!(areas(vec![path(&[(0, 0), (9, 0), (9, 9)])], Vec::new()).is_none());
        assert!(areas(vec![ring], vec![stray]).is_none());
        assert!(areas(Vec::new(), Vec::new()).is_none());
    }
}
