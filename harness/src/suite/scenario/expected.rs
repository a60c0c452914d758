// SPDX-License-Identifier: MIT
//! The scenarios and what their components say.

use crate::outcome::console::{Expected, Said};

/// A scenario: its file's name, and what is said.
pub struct Scenario {
    pub name: &'static str,
    pub expected: Expected<'static>,
}

/// What goes through the packet stream of the default scenario: 500 packets of 64 words, word i of packet n being
/// (i + n) * 0x9e3779b97f4a7c15.
const SENT: &str = "sent packets=500 bytes=256000 sum=0xa0788636d2ed5900";
const RECEIVED: &str = "received packets=500 bytes=256000 sum=0xa0788636d2ed5900";
/// What 64 pages hold after eight rounds: word w is (w + 7) times that number.
const TOUCHED: &str = "touch pages=64 rounds=8 sum=0x7b842d34b3444000";

const fn said(label: &'static str, text: &'static str) -> Said<'static> {
    Said { label, text }
}

/// One child.
pub const ONE_CHILD: Scenario = Scenario {
    name: "s1",
    expected: Expected {
        lines: &[
            said("init", "parent provides"),
            said("init", "  service \"ROM\""),
            said("init", "child \"hello\""),
            said("init", "  RAM quota:  1800K"),
            said("init", "  cap quota:  66"),
            said("init", "  ELF binary: hello"),
            said("init", "  priority:   0"),
            said("init -> hello", "good morning"),
            said("init -> hello", "good morning"),
            said("init -> hello", "good morning"),
            said("init", "child \"hello\" exited with exit value 0"),
        ],
        times: &[(said("init -> hello", "good morning"), 3)],
        before: &[],
        never: &["Error", "Warning"],
    },
};

/// A timer and its clients.
pub const TIMER: Scenario = Scenario {
    name: "s3",
    expected: Expected {
        lines: &[
            said("init", "Warning: odd: invalid priority, upgrading from -9 to -3"),
            said("init -> early", "one"),
            said("init -> early", "two"),
            said("init -> early", "tsc 50 monotonic"),
            said("init -> late", "four"),
            said("init", "child \"late\" exited with exit value 4"),
            said("init -> odd", "odd ran"),
        ],
        times: &[],
        before: &[(said("init -> early", "two"), said("init -> late", "four"))],
        never: &["Error"],
    },
};

/// Sessions of a server of our own.
pub const SESSIONS: Scenario = Scenario {
    name: "s4",
    expected: Expected {
        lines: &[
            said("init -> logsrv", "serving LOG"),
            said("init -> logsrv", "open c1"),
            said("init -> logsrv", "[c1] echo sum=14950"),
            said("init -> c2", "echo sum=1499500"),
            said("init -> c3", "opened LOG 1"),
            said("init -> c3", "opened LOG 1"),
        ],
        times: &[
            (said("init -> logsrv", "open forced"), 1),
            (said("init -> logsrv", "open who -> /d/what"), 1),
            (said("init -> logsrv", "close forced"), 1),
            (said("init -> logsrv", "close who -> /d/what"), 1),
        ],
        before: &[
            (said("init -> logsrv", "open forced"), said("init -> logsrv", "close forced")),
            (said("init -> logsrv", "open who -> /d/what"), said("init -> logsrv", "close who -> /d/what")),
        ],
        never: &["Error"],
    },
};

/// An init within init.
pub const NESTED: Scenario = Scenario {
    name: "s6",
    expected: Expected {
        lines: &[
            said("init -> sub -> sleeper", "deep"),
            said("init", "child \"sub\" exited with exit value 7"),
        ],
        times: &[
            (said("init -> sub -> inner_log", "[VIP] hi"), 1),
            (said("init -> sub -> inner_log", "[plain] ho"), 1),
        ],
        before: &[(
            said("init -> sub -> sleeper", "deep"),
            said("init", "child \"sub\" exited with exit value 7"),
        )],
        never: &["ambiguous"],
    },
};

/// Children that attack their init, one until it has all sessions that a client may have, one until its quota is used up.
pub const PEST: Scenario = Scenario {
    name: "pest",
    expected: Expected {
        lines: &[
            said("init -> rich", "sessions: no more are allowed, wrong=0"),
            said("init -> poor", "sessions: no more can be paid, wrong=0"),
            said("init -> client", "echo sum=14950"),
            said("init -> client", "echo objects=4 sum=10"),
            said("init -> hello", "undisturbed"),
            said("init", "child \"hello\" exited with exit value 0"),
        ],
        times: &[],
        before: &[],
        never: &["Error"],
    },
};

/// Children whose PEs are run otherwise.
pub const REPLAYED: Scenario = Scenario {
    name: "replayed",
    expected: Expected {
        lines: &[
            said("init", "Error: greedy: replay limit 100000000 is refused: the run's is the largest"),
            said("init -> once", "one"),
            said("init -> twice", "two"),
            said("init -> thrice", "three"),
            said("init -> greedy", "as the run"),
            said("init -> sub", "Error: greedy: replay limit 100001 is refused: the run's is the largest"),
            said("init -> sub -> deep", "three, below one"),
            said("init -> sub -> greedy", "as the run"),
        ],
        times: &[],
        before: &[],
        never: &["Warning"],
    },
};

/// All that can be wrong in a configuration that is XML.
pub const WRONG: Scenario = Scenario {
    name: "wrong",
    expected: Expected {
        lines: &[
            said("init", "Warning: config: ignoring unknown element <strat> (line 9)"),
            said("init", "Warning: alias node \"nobody\" lacks child attribute"),
            said("init", "Warning: missing 'name' attribute in '<start>' entry"),
            said("init", "Warning: skipped startup of nameless child"),
            said("init", "Error: child creation failed"),
            said("init", "Warning: twice: duplicate start node, last one wins (line 36)"),
            said("init", "Warning: ramless: no valid RAM quota defined"),
            said("init", "Warning: capless: no valid capability quota defined"),
            said("init", "Warning: replayed: invalid value \"twice\" of attribute \"mode\" (line 35)"),
            said("init", "Warning: routeless: no route to service \"PD\" (label=\"routeless\")"),
            said("init", "Error: routeless: PD environment session denied (label=\"routeless\")"),
            said("init", "Warning: last: configured RAM exceeds available RAM, proceed with 0"),
            said(
                "init",
                "Error: ghost: environment ROM session denied (label=\"ghost\", ram_quota=6K, cap_quota=3)",
            ),
            said("init -> text", "Error: LD: binary is not an ELF"),
            said("init", "Error: mute: route of \"LOG\" to unknown child \"ghostly\""),
            said("init", "Error: mute: LOG environment session denied (label=\"mute\")"),
            said("init", "Error: itself: route of \"LOG\" leads to itself"),
            said("init", "Error: itself: LOG environment session denied (label=\"itself\")"),
            said("init", "Error: either: ambiguous routes to service \"LOG\""),
            said("init", "Error: allocation of read-write segment failed"),
            said("init", "Error: ramless: out of RAM during ELF loading"),
            said("init", "Error: capless: out of capabilities during ELF loading"),
            said("init", "Error: allocation of read-write segment failed"),
            said("init", "Error: last: out of RAM during ELF loading"),
            said("init -> twice", "second"),
            said("init -> logsrv", "serving LOG"),
            said("init -> othersrv", "serving LOG"),
            said("init", "Error: liar: illegal announcement of service \"Echo\""),
            said("init -> liar", "serving Echo"),
            said("init -> either", "by the next target"),
            said("init", "Warning: unserved: no route to service \"Echo\" (label=\"unserved -> x\")"),
            said(
                "init -> unserved",
                "Error: stop because parent denied Echo-session: label=\"x\", ram_quota=8192, cap_quota=4",
            ),
            said("init -> replayed", "once"),
            said("init -> giant", "with what there is"),
        ],
        times: &[
            (said("init", "Error: child creation failed"), 1),
            (
                said(
                    "init",
                    "Error: ghost: environment ROM session denied (label=\"ghost\", ram_quota=6K, cap_quota=3)",
                ),
                1,
            ),
        ],
        before: &[],
        never: &["never", "first", "panicked"],
    },
};

/// A configuration that is no XML.
pub const MALFORMED: Scenario = Scenario {
    name: "malformed",
    expected: Expected {
        lines: &[said("init", "Error: config: malformed XML at line 4 column 2")],
        times: &[],
        before: &[],
        never: &["Warning"],
    },
};

/// What `run init` boots.
pub const DEFAULT: Scenario = Scenario {
    name: "default",
    expected: Expected {
        lines: &[
            said("init -> sleeper", "waiting"),
            said("init -> sleeper", "a tick"),
            said("init -> sleeper", "another tick"),
            said("init", "child \"sleeper\" exited with exit value 0"),
            said("init -> client1", "echo sum=14950"),
            said("init -> client1", "echo blob=256"),
            said("init -> client1", "echo objects=4 sum=10"),
            said("init -> client1", "echo signal"),
            said("init -> client2", "echo sum=134850"),
            said("init -> uart", "uart bytes=32 came back"),
            said("init -> hpet", "hpet vendor=0x8086 period=10000000 fs"),
            said("init -> hpet", "hpet counter goes on"),
            said("init -> source", SENT),
            said("init -> sink", RECEIVED),
            said("init -> clock", "tsc 100 monotonic"),
            said("init -> crunch", "compute primes n=20000 2262"),
            said("init -> memhog", TOUCHED),
        ],
        times: &[],
        before: &[],
        never: &["Error", "Warning"],
    },
};
