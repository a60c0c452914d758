// SPDX-License-Identifier: MIT
//! Tests of sessions' ways from the request to the end.

use alloc::string::ToString;
use alloc::vec;

use super::{Answer, Client, MOST, Phase, Refusal, Response, Server, Session, Sessions, Told, Unlisted};
use crate::bytes::Bytes;
use crate::quota::Quota;

const SERVER: Server = Server::Child(1);
const CLIENT: Client = Client::Child(0);
const GIVEN: Quota = Quota { ram: Bytes(8192), caps: 2 };

fn session(id: u64) -> Session<u64> {
    Session {
        client: CLIENT,
        id,
        server: SERVER,
        service: "LOG".to_string(),
        label: "c".to_string(),
        args: "label=\"c\"".to_string(),
        given: GIVEN,
        phase: Phase::Requested { abandoned: false },
    }
}

fn one() -> (Sessions<u64>, u64) {
    let mut sessions = Sessions::new(100);
    let key = sessions.add(session(16)).unwrap();
    (sessions, key)
}

#[test]
fn a_session_is_asked_for_delivered_upgraded_and_closed() {
    let (mut sessions, key) = one();
    assert_eq!(sessions.requests(SERVER).creates[0].id, key);
    assert_eq!(sessions.tell(CLIENT, 16), Told::Waiting);
    assert_eq!(sessions.deliver(SERVER, key, 7), Answer::Delivered);
    assert_eq!(sessions.requests(SERVER), Default::default());
    assert_eq!(sessions.tell(CLIENT, 16), Told::There(7));

    assert!(sessions.upgrade(key, Quota { ram: Bytes(4096), caps: 0 }));
    assert!(sessions.upgrade(key, Quota { ram: Bytes(4096), caps: 4 }));
    let by = sessions.requests(SERVER).upgrades[0].by;
    assert_eq!(by, Quota { ram: Bytes(4096), caps: 0 });
    assert_eq!(sessions.get(key).unwrap().given, Quota { ram: Bytes(16384), caps: 6 });
    assert_eq!(sessions.tell(CLIENT, 16), Told::There(7));
    assert_eq!(sessions.respond(SERVER, key, Response::Upgraded), Answer::TakeMore);
    assert_eq!(sessions.requests(SERVER).upgrades[0].by, Quota { ram: Bytes(4096), caps: 4 });
    assert_eq!(sessions.respond(SERVER, key, Response::Upgraded), Answer::Upgraded);

    assert!(sessions.close(key));
    assert_eq!(sessions.requests(SERVER).closes, vec![key]);
    assert_eq!(sessions.tell(CLIENT, 16), Told::Unknown);
    assert_eq!(sessions.respond(SERVER, key, Response::Closed), Answer::Closed);
    assert!(sessions.remove(key).is_some());
}

#[test]
fn a_refusal_is_told() {
    let (mut sessions, key) = one();
    assert_eq!(sessions.respond(SERVER, key, Response::Refused(Refusal::Ram)), Answer::Refused);
    assert_eq!(sessions.tell(CLIENT, 16), Told::Refused(Refusal::Ram));
    assert_eq!(sessions.requests(SERVER), Default::default());
}

#[test]
fn what_nobody_wants_any_more_is_closed_when_it_comes() {
    let (mut sessions, key) = one();
    assert!(!sessions.close(key));
    assert_eq!(sessions.requests(SERVER).creates.len(), 1);
    assert_eq!(sessions.deliver(SERVER, key, 7), Answer::Unwanted);
    assert_eq!(sessions.requests(SERVER).closes, vec![key]);

    let (mut sessions, key) = one();
    assert!(!sessions.close(key));
    assert_eq!(sessions.respond(SERVER, key, Response::Refused(Refusal::Denied)), Answer::Dropped);
}

#[test]
fn answers_count_only_from_the_server_and_only_to_what_was_asked() {
    let (mut sessions, key) = one();
    for liar in [Server::Child(0), Server::Child(2), Server::Parent] {
        assert_eq!(sessions.deliver(liar, key, 7), Answer::Unasked);
        assert_eq!(sessions.respond(liar, key, Response::Refused(Refusal::Denied)), Answer::Unasked);
    }
    assert_eq!(sessions.deliver(SERVER, key + 1, 7), Answer::Unasked);
    for response in [Response::Closed, Response::Upgraded] {
        assert_eq!(sessions.respond(SERVER, key, response), Answer::Unasked);
    }
    assert_eq!(sessions.deliver(SERVER, key, 7), Answer::Delivered);
    assert_eq!(sessions.deliver(SERVER, key, 8), Answer::Unasked);
    for response in [Response::Closed, Response::Upgraded, Response::Refused(Refusal::Denied)] {
        assert_eq!(sessions.respond(SERVER, key, response), Answer::Unasked);
    }
    assert_eq!(sessions.tell(CLIENT, 16), Told::There(7));
    assert_eq!(sessions.tell(Client::Child(1), 16), Told::Unknown);
    assert_eq!(sessions.tell(Client::Above, 16), Told::Unknown);
}

#[test]
fn numbers_of_a_client_are_its_own_and_there_are_so_many() {
    let (mut sessions, _) = one();
    assert_eq!(sessions.add(session(16)), Err(Unlisted::Occupied));
    let other = Session { client: Client::Child(3), ..session(16) };
    assert!(sessions.add(other).is_ok());
    for id in 1..MOST as u64 {
        assert!(sessions.add(session(100 + id)).is_ok());
    }
    assert_eq!(sessions.add(session(99)), Err(Unlisted::TooMany));
}
