// SPDX-License-Identifier: MIT
//! The table: the rooms of each crate, from the bottom to the top.

/// The room that a crate's root file stands in.
pub const ROOT: &str = "(root)";

/// Which files may stand in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circles {
    /// Files of one room.
    InARoom,
    /// None.
    Nowhere,
}

/// A crate, and the order that it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The root file, from the project's folder.
    pub root: &'static str,
    /// The rooms, a row for each storey from the lowest one; empty if the crate has no rooms.
    pub storeys: &'static [&'static [&'static str]],
    /// Which circles there may be.
    pub circles: Circles,
    /// Arrows that are against the order and still there, from file to file. One that is gone has to leave this list.
    pub open: &'static [(&'static str, &'static str)],
}

/// All crates that keep an order.
pub const PLANS: &[Plan] = &[
    Plan { root: "pe-replay/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "pe-replay/flips/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "pmu/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "pmu/emulated/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "kernel/wire/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "user/genode/core/src/main.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "user/genode/ledger/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan { root: "user/genode/config/src/lib.rs", storeys: &[], circles: Circles::Nowhere, open: &[] },
    Plan {
        root: "user/genode/components/parts/src/lib.rs",
        storeys: &[],
        circles: Circles::Nowhere,
        open: &[],
    },
    Plan {
        root: "kernel/src/lib.rs",
        storeys: &[
            &["arch"],
            &["mem"],
            &["object"],
            &["trap", "replay"],
            &["personality"],
            &["executive"],
            &["linux", "nova"],
            &["run"],
            &["system"],
            &["batch", "selftest", "panic"],
            &[ROOT],
        ],
        circles: Circles::InARoom,
        open: &[],
    },
    Plan {
        root: "harness/src/main.rs",
        storeys: &[
            &["host"],
            &["emulator"],
            &["workload"],
            &["outcome"],
            &["native"],
            &["run"],
            &["report", "inject", "fuzz", "profile", "compare", "bench", "demo", "doctor", "docs", "build"],
            &["cli"],
            &["suite"],
            &[ROOT],
        ],
        circles: Circles::InARoom,
        open: &[],
    },
];
