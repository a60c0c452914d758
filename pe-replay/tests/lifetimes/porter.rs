// SPDX-License-Identifier: MIT
//! What a porter is told of a machine that does something wrong.

use contract::{Point, check};

use crate::toy::{HOMES, Little, PAGE, Toy, Wrong};

#[test]
fn a_machine_is_told_what_it_does_wrong() {
    for (wrong, point) in [
        (Wrong::LeavesOpen, Point::StartsClosed),
        (Wrong::NeverFaults, Point::FaultsOnWrites),
        (Wrong::MapsElsewhere, Point::MapsAsTold),
        (Wrong::ForgetsWrites, Point::TellsOfWrites),
        (Wrong::DrawsAtRandom, Point::RepeatsItself),
        (Wrong::StopsLate, Point::StopsInTime),
        (Wrong::GivesTwice, Point::GivesFramesApart),
        (Wrong::OverlooksAByte, Point::SeesEveryByte),
    ] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE + 8, PAGE, PAGE]);
        toy.wrong = wrong;
        let report = check(&mut toy, &Little::default(), PAGE);
        assert!(report.contains(&(point, false)), "{wrong:?}: {report:?}");
        toy.wrong = Wrong::Nothing;
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE + 8, PAGE, PAGE]);
        let report = check(&mut toy, &Little::default(), PAGE);
        assert!(report.is_full() && report.iter().all(|(_, holds)| *holds), "{report:?}");
        assert_eq!((toy.word(0), toy.free.len()), (0, 100 - HOMES));
    }
}
