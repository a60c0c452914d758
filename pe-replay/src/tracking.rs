// SPDX-License-Identifier: MIT
//! What keeps track of the pages that a run writes, or does not, and decides how often a PE is run.

use crate::events::Pages;
use crate::execution::Run;
use crate::executor::{Course, Executor, Outcome};
use crate::inject::Copy;
use crate::lifecycle::Lifecycle;
use crate::machine::{Machine, PageOf, View};
use crate::observer::{Counts, Internals, Observer};
use crate::placement::Placement;
use crate::policy::Policy;
use crate::pool::Pool;
use crate::tracker::{SetFull, Tracker};

/// A tracker, or a policy by which nothing is tracked.
pub trait Tracking<M: Machine>: Sized {
    /// Frames that a page has beside its home; without any, nothing is tracked.
    const FRAMES: usize;
    /// What a run sees.
    fn view(run: Run) -> View;
    /// Executes a PE.
    fn execute<O: Observer<M>>(course: &mut Course<'_, M, Self, O>, limit: u64) -> Outcome;
    /// Lets a run that met a write fault write the page.
    fn write_fault(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<(), SetFull>;
    /// The frame that a flip of the page is to hit, as the run sees it and no other run does.
    fn expose(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<M::Frame, SetFull>;
    /// The frame of one of the engine's own copies of the page at `address`.
    fn copy_of(&self, pool: &Pool<M::Frame, M::Slot>, address: u64, copy: Copy) -> Option<M::Frame>;
    /// What it keeps beside its pages.
    fn counts(&mut self) -> Option<Counts<'_>>;
}

impl<M: Machine, P: Placement> Tracking<M> for Tracker<P> {
    const FRAMES: usize = P::FRAMES;

    #[inline(always)]
    fn view(run: Run) -> View {
        if P::AT_ONCE { View::Of(run) } else { View::Every }
    }

    #[inline(always)]
    fn execute<O: Observer<M>>(course: &mut Course<'_, M, Self, O>, limit: u64) -> Outcome {
        course.run_through(limit)
    }

    fn write_fault(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<(), SetFull> {
        self.write_fault(pages, run, page)
    }

    fn expose(&mut self, pages: &mut Pages<M>, run: Run, page: PageOf<M>) -> Result<M::Frame, SetFull> {
        self.expose(pages, run, page)
    }

    fn copy_of(&self, pool: &Pool<M::Frame, M::Slot>, address: u64, copy: Copy) -> Option<M::Frame> {
        self.copy_of(pool, address, copy)
    }

    #[inline(always)]
    fn counts(&mut self) -> Option<Counts<'_>> {
        let Self { open, attempt, .. } = self;
        Some(Counts { open, attempt })
    }
}

/// Nothing is tracked, and every PE is run once.
impl<M: Machine> Tracking<M> for Policy {
    const FRAMES: usize = 0;

    fn view(_run: Run) -> View {
        View::Every
    }

    #[inline(always)]
    fn execute<O: Observer<M>>(course: &mut Course<'_, M, Self, O>, limit: u64) -> Outcome {
        course.run_once(limit)
    }

    fn write_fault(&mut self, _: &mut Pages<M>, _: Run, _: PageOf<M>) -> Result<(), SetFull> {
        Err(SetFull)
    }

    fn expose(&mut self, _: &mut Pages<M>, _: Run, page: PageOf<M>) -> Result<M::Frame, SetFull> {
        Ok(page.frame)
    }

    fn copy_of(&self, _: &Pool<M::Frame, M::Slot>, _: u64, _: Copy) -> Option<M::Frame> {
        None
    }

    fn counts(&mut self) -> Option<Counts<'_>> {
        None
    }
}

impl<M: Machine, T: Tracking<M>, O: Observer<M>> Course<'_, M, T, O> {
    /// Shows the observer what there is.
    #[inline(always)]
    pub(crate) fn visit(&mut self, life: Option<&mut Lifecycle>) {
        let Some(counts) = self.tracker.counts().filter(|_| O::WATCHES) else { return };
        let Executor { results, pool, .. } = self.executor;
        let internals = Internals { thread: self.thread, results, frames: T::FRAMES, life, counts, pool };
        self.observer.visit(self.machine, internals);
    }
}
