// SPDX-License-Identifier: MIT
//! Lives of PEs by answers drawn at random: each step is by the rules, and each life ends.

use std::collections::BTreeMap;

use super::*;

/// Numbers below a bound, the same ones each time.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn end(&mut self) -> End {
        let delimiter = match self.below(20) {
            0 => Delimiter::Watchdog,
            1..10 => Delimiter::Limit,
            10..15 => Delimiter::Syscall,
            _ => Delimiter::DirtyLimit { address: 0x2000 },
        };
        End { delimiter, count: 1 + self.below(LIMIT) }
    }

    /// Anything that may end `phase`.
    fn answer(&mut self, phase: Phase, life: &Lifecycle) -> Event {
        let difference = difference(self.below(100));
        match phase {
            Phase::Preparing => Event::Done,
            Phase::Running(run) if life.target(run).is_some() && self.one_in(2) => {
                Event::Overshot(self.end())
            }
            Phase::Running(_) => Event::Ended(self.end()),
            Phase::Turning(_) | Phase::RollingBack if self.one_in(20) => Event::Damaged(difference),
            Phase::Turning(_) | Phase::RollingBack => Event::Done,
            Phase::Verifying(run) => match self.below(if run == Run::Third { 6 } else { 3 }) {
                0 if self.one_in(8) => Event::Damaged(difference),
                0 => Event::Agreed,
                1 | 2 => Event::Differed(difference),
                outvoted => Event::Outvoted(Run::ALL[outvoted as usize - 3], difference),
            },
            Phase::Committing(_) | Phase::GivingUp(_) => unreachable!("the PE is over"),
            Phase::RunningAll => unreachable!("runs are handed out one by one here"),
        }
    }
}

/// What a phase must be preceded by, said once more and otherwise than in
/// [`Lifecycle::step`]: by what has happened in the attempt, not by phases.
#[derive(Default)]
struct Attempt {
    ended: Vec<End>,
    /// The margin of the last approach.
    margin: Option<Margin>,
}

fn check(rules: Rules, attempt: &Attempt, rolled_back: u8, event: Event, (phase, approach): Asked) {
    let ended = &attempt.ended;
    let at_limit = ended.iter().find(|end| end.delimiter == Delimiter::Limit);
    match phase {
        Phase::Preparing => {
            assert!(event == Event::Done && ended.is_empty() && rolled_back < MAX_DIVERGENCES)
        }
        Phase::RunningAll => panic!("runs are handed out one by one here"),
        Phase::Running(run) => {
            assert_eq!((event, ended.len()), (Event::Done, run as usize));
            let Some(Approach { limit, exact }) = approach else { panic!("{phase:?}") };
            match (exact, at_limit) {
                (Some(Exact { target: other, margin, stepped }), Some(target)) => {
                    assert_eq!((limit, ended[other as usize]), (target.count, *target));
                    match attempt.margin {
                        Some(before) => assert!(before == margin || margin == before.doubled()),
                        None => assert_eq!(margin, rules.margin),
                    }
                    assert_eq!(stepped, margin != rules.margin && margin.near >= limit);
                }
                (None, None) => assert!(limit >= rules.limit),
                _ => panic!("{approach:?}"),
            }
        }
        Phase::Turning(run) => {
            assert_eq!(ended.len(), run as usize);
            let voted = matches!(event, Event::Differed(_)) && rules.recovery == Recovery::Vote;
            let missed = matches!(event, Event::Overshot(_));
            assert!(run == Run::Second || rules.triple || voted || missed);
        }
        Phase::Verifying(run) => {
            assert_eq!(ended.len(), run as usize + 1);
            assert!(run == Run::Third || !rules.triple);
        }
        Phase::Committing(Some(run)) => {
            assert!(matches!(event, Event::Outvoted(found, _) if found == run));
        }
        Phase::Committing(None) => assert_eq!(event, Event::Agreed),
        Phase::RollingBack => match event {
            Event::Ended(end) => assert!(ended.len() == 1 && end.delimiter == Delimiter::Watchdog),
            Event::Differed(_) => assert!(ended.len() == 3 || rules.recovery == Recovery::Restart),
            _ => panic!("{event:?} is no reason to start again"),
        },
        Phase::GivingUp(Verdict::Persistent) => {
            assert_eq!((event, rolled_back), (Event::Done, MAX_DIVERGENCES));
        }
        Phase::GivingUp(Verdict::Damaged) => assert!(matches!(event, Event::Damaged(_))),
    }
}

/// An event by its kind, for steps to be counted.
fn kind(event: Event) -> (u8, Option<Run>) {
    match event {
        Event::Done => (0, None),
        Event::Ended(_) => (1, None),
        Event::Overshot(_) => (2, None),
        Event::Agreed => (3, None),
        Event::Outvoted(run, _) => (4, Some(run)),
        Event::Differed(_) => (5, None),
        Event::Damaged(_) => (6, None),
        Event::AllEnded => (7, None),
    }
}

#[test]
fn any_answers_lead_to_an_end_by_the_rules() {
    let mut noise = Noise(1);
    let mut steps = BTreeMap::new();
    // Miri is a thousand times slower.
    let lives = if cfg!(miri) { 4_000 } else { 40_000 };
    for _ in 0..lives {
        let rules = Rules {
            triple: noise.one_in(2),
            recovery: [Recovery::Restart, Recovery::Vote][noise.below(2) as usize],
            limit: LIMIT,
            margin: margin([0, 1, 25, LIMIT][noise.below(4) as usize]),
            at_once: false,
        };
        let mut life = Lifecycle::begin(rules);
        let mut asked = plain(life.phase);
        let (mut attempt, mut rolled_back, mut misses) = (Attempt::default(), 0, 0);
        let mut bound = 300;
        while !matches!(life.phase, Phase::Committing(_) | Phase::GivingUp(_)) {
            bound -= 1;
            assert!(bound > 0, "a PE without end");
            let event = noise.answer(life.phase, &life);
            let before = core::mem::replace(&mut asked, feed(&mut life, event));
            match (before, event) {
                ((Phase::RollingBack, _), Event::Done) => {
                    (attempt, rolled_back) = (Attempt::default(), rolled_back + 1)
                }
                ((Phase::Running(run), approach), Event::Ended(end) | Event::Overshot(end)) => {
                    if let Some(Exact { margin, .. }) = approach.and_then(|approach| approach.exact) {
                        attempt.margin = Some(margin);
                    }
                    if asked.0 == Phase::Turning(run) {
                        misses += 1;
                    } else {
                        attempt.ended.push(end);
                    }
                }
                _ => {}
            }
            check(rules, &attempt, rolled_back, event, asked);
            *steps.entry((before.0, kind(event), life.phase)).or_insert(0) += 1;
        }
        assert_eq!(life.misses, misses);
    }
    // The 24 that the model tests take, too; the turn to run 3 that finds damage, and
    // an overshoot of single steps, in run 2 before a verification or run 3, and in run 3.
    assert_eq!(steps.len(), 28, "{steps:#?}");
    for (step, taken) in steps {
        assert!(taken >= lives / 400, "{step:?} was taken {taken} times only");
    }
}
