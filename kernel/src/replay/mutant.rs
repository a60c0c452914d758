// SPDX-License-Identifier: MIT
//! What watches PEs in a kernel: it records flips, and takes run 2 out of the engine for tests that show that it is
//! needed, in kernels with the feature `mutants`.

use flips::{Injection, Witness};
use pe_replay::lifecycle::Phase;
use pe_replay::placement::Placement;
use pe_replay::{Internals, Memory, Observer, Processor, Run};
use wire::config::Mutation;
use wire::flip::{Flipped, Noticed};
use wire::record::Record;

use super::KernelMachine;
use crate::arch::channel;

/// What is left out, if anything.
pub struct Mutant(pub Option<Mutation>);

impl Observer<KernelMachine> for Mutant {
    const WATCHES: bool = cfg!(feature = "mutants");

    #[inline(always)]
    fn skips_run_2(&self) -> bool {
        cfg!(feature = "mutants") && self.0 == Some(Mutation::SkipSecondRun)
    }

    /// Takes what run 1 wrote for what run 2 wrote, before they are compared.
    #[inline(always)]
    fn visit<P: Placement>(
        &mut self,
        machine: &mut KernelMachine,
        internals: Internals<'_, KernelMachine, P>,
    ) {
        let phase = internals.life.as_ref().map(|life| life.phase);
        if self.skips_run_2() && phase == Some(Phase::Verifying(Run::Second)) {
            for page in internals.pages() {
                let second = page.copies().get(Run::Second as usize);
                second.into_iter().for_each(|second| machine.copy(page.page.frame, *second));
            }
        }
    }
}

impl Witness<KernelMachine> for Mutant {
    #[cold]
    fn flipped(&mut self, machine: &mut KernelMachine, flip: Injection, rip: u64, has_hit: bool) {
        channel::record(&Record::Flipped(Flipped { flip, rip, ticks: machine.now(), has_hit }));
    }

    #[cold]
    fn noticed(&mut self, machine: &mut KernelMachine, pe: u64) {
        channel::record(&Record::Noticed(Noticed { pe, ticks: machine.now() }));
    }
}
