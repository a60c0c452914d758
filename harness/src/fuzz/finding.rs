// SPDX-License-Identifier: MIT
//! Something that the fuzzer found.

use std::fmt;

use pe_replay::Policy;
use wire::Name;

/// What was wrong in one run of a seed.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The seed.
    pub seed: u64,
    /// How the PEs of that run were run.
    pub policy: Policy,
    /// What it was.
    pub what: What,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub enum What {
    /// The run came to no good end.
    Failed {
        /// How it ended.
        failure: String,
        /// The last calls before that; none if a run that tells them comes through.
        last: Vec<String>,
    },
    /// The run shows something else than the one without replay.
    Differs {
        /// The calls around the first difference; none if runs that tell them make the same ones.
        first: Vec<String>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, policy, what } = self;
        let mode = policy.mode.name();
        let (calls, told) = match what {
            What::Failed { failure, last } => {
                write!(f, "seed {seed} in {mode}: {failure}")?;
                (last, "the last calls")
            }
            What::Differs { first } => {
                write!(f, "seed {seed}: {mode} shows something else than off")?;
                (first, "the calls around the first difference")
            }
        };
        if calls.is_empty() {
            return write!(f, "; {told} cannot be told: when they are, it is otherwise");
        }
        write!(f, "; {told}, of which each was told by its thread before it was made:")?;
        calls.iter().try_for_each(|call| write!(f, "\n  {call}"))
    }
}
