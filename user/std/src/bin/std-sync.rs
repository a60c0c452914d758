// SPDX-License-Identifier: MIT
//! Threads that meet: channels, locks, conditions, barriers, things that are done once, and atomics.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, TryLockError};
use std::thread;
use std::time::Duration;

/// Threads that take part in each step.
const THREADS: u64 = 4;
/// What each of them does in each step.
const ROUNDS: u64 = 200;

fn main() {
    channels();
    bounded_channels();
    mutexes();
    poison();
    conditions();
    readers_and_writers();
    barriers();
    once();
    atomics();
    println!("all steps are done");
}

/// Several threads send, one receives all, and hears that nobody is left.
fn channels() {
    let (sender, receiver) = mpsc::channel();
    for thread in 0..THREADS {
        let sender = sender.clone();
        thread::spawn(move || {
            for round in 0..ROUNDS {
                sender.send((thread, round * round)).expect("the receiver is there");
            }
        });
    }
    drop(sender);
    let mut sums = [0; THREADS as usize];
    let mut last = [None; THREADS as usize];
    for (thread, square) in &receiver {
        let thread = thread as usize;
        assert!(last[thread] < Some(square), "the order of one sender is kept");
        last[thread] = Some(square);
        sums[thread] += square;
    }
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    println!("channel: {sums:?}");
}

/// A full channel holds its senders up; a meeting place holds nothing; a receiver waits so long and no longer.
fn bounded_channels() {
    let (sender, receiver) = mpsc::sync_channel(2);
    assert_eq!([1, 2, 3].map(|it| sender.try_send(it)), [Ok(()), Ok(()), Err(TrySendError::Full(3))]);
    let sending =
        thread::spawn(move || (3..100).for_each(|it| sender.send(it).expect("there is a receiver")));
    let sum: u64 = receiver.iter().sum();
    sending.join().expect("the sender ends");
    let (sender, receiver) = mpsc::sync_channel::<u64>(0);
    assert_eq!(receiver.recv_timeout(Duration::from_millis(3)), Err(RecvTimeoutError::Timeout));
    let meeting =
        thread::spawn(move || (0..10).map(|_| receiver.recv().expect("there is a sender")).sum::<u64>());
    (0..10).for_each(|it| sender.send(it).expect("there is a receiver"));
    let met = meeting.join().expect("the receiver ends");
    assert!(sender.send(0).is_err());
    println!("bounded channel: {sum}, meeting place: {met}");
}

fn mutexes() {
    let counted = Arc::new(Mutex::new((0_u64, 0_u64)));
    let count = |counted: &Mutex<(u64, u64)>| {
        for round in 0..ROUNDS {
            let mut both = counted.lock().expect("nobody panics");
            both.0 += 1;
            // Another thread waits for the lock meanwhile, at times.
            if round % 16 == 0 {
                thread::yield_now();
            }
            both.1 += round;
        }
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let counted = Arc::clone(&counted);
            thread::spawn(move || count(&counted))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let held = counted.lock().expect("nobody panics");
    let refused = matches!(counted.try_lock(), Err(TryLockError::WouldBlock));
    println!("mutex: {held:?}, a second lock is refused: {refused}");
}

/// A lock whose holder panics says so, and what it guards is still there.
fn poison() {
    let lock = Arc::new(Mutex::new(41));
    let holder = Arc::clone(&lock);
    let panicked = thread::spawn(move || {
        let mut held = holder.lock().expect("nobody has panicked yet");
        *held += 1;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panicked.join().is_err() && lock.is_poisoned());
    let value = *lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    lock.clear_poison();
    println!("poisoned: {value}, cleared: {}", lock.lock().is_ok());
}

/// A queue with an end, by a lock and two conditions.
fn conditions() {
    #[derive(Default)]
    struct Queue {
        waiting: Mutex<VecDeque<u64>>,
        filled: Condvar,
        emptied: Condvar,
    }
    const ROOM: usize = 3;
    let queue = Queue::default();
    let sum = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (queue, sum) = (&queue, &sum);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let waiting = queue.waiting.lock().expect("nobody panics");
                    let mut waiting =
                        queue.emptied.wait_while(waiting, |it| it.len() >= ROOM).expect("nobody panics");
                    waiting.push_back(thread * ROUNDS + round);
                    queue.filled.notify_one();
                }
            });
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let mut waiting = queue.waiting.lock().expect("nobody panics");
                    let next = loop {
                        match waiting.pop_front() {
                            Some(next) => break next,
                            None => waiting = queue.filled.wait(waiting).expect("nobody panics"),
                        }
                    };
                    drop(waiting);
                    queue.emptied.notify_all();
                    sum.fetch_add(next, Ordering::Relaxed);
                }
            });
        }
    });
    let waiting = queue.waiting.lock().expect("nobody panics");
    let (_guard, waited) =
        queue.filled.wait_timeout(waiting, Duration::from_millis(2)).expect("nobody panics");
    println!("conditions: {}, nothing more comes: {}", sum.into_inner(), waited.timed_out());
}

/// Whoever reads sees both halves of what one writer wrote.
fn readers_and_writers() {
    let pair = RwLock::new((0_u64, 0_u64));
    let done = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        let readers: Vec<_> = (1..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0;
                    while !done.load(Ordering::Acquire) {
                        let pair = pair.read().expect("nobody panics");
                        assert!(pair.0 * 3 == pair.1 && pair.0 >= last);
                        last = pair.0;
                        thread::yield_now();
                    }
                    last
                })
            })
            .collect();
        for round in 1..=ROUNDS {
            let mut pair = pair.write().expect("nobody panics");
            pair.0 = round;
            thread::yield_now();
            pair.1 = round * 3;
        }
        done.store(true, Ordering::Release);
        readers.into_iter().map(|reader| reader.join().expect("it ends")).max()
    });
    assert!(seen <= Some(ROUNDS));
    println!("readers and writers: {:?}", pair.into_inner().expect("nobody panics"));
}

/// All threads are in the same round, and one of them leads it.
fn barriers() {
    let barrier = Barrier::new(THREADS as usize);
    let (arrived, leaders) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=20 {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    let leads = barrier.wait().is_leader();
                    assert_eq!(arrived.load(Ordering::SeqCst), round * THREADS as usize);
                    leaders.fetch_add(usize::from(leads), Ordering::SeqCst);
                    barrier.wait();
                }
            });
        }
    });
    println!("barriers: {} arrived, {} led", arrived.into_inner(), leaders.into_inner());
}

/// What several threads begin is done once, and all of them see it.
fn once() {
    static LAZY: LazyLock<Vec<u64>> = LazyLock::new(|| (0..1000).map(|it| it * it).collect());
    let (once, cell, times) = (Once::new(), OnceLock::new(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                once.call_once(|| {
                    thread::yield_now();
                    times.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(times.load(Ordering::Relaxed), 1);
                assert_eq!(*cell.get_or_init(|| LAZY.iter().sum::<u64>()), 332_833_500);
            });
        }
    });
    println!("once: {} time, {:?}", times.into_inner(), cell.get());
}

/// Counts, exchanges and a lock that spins.
fn atomics() {
    let (sum, highest, taken) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let mut guarded = 0_u64;
    let place = Mutex::new(&mut guarded);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (sum, highest, taken, place) = (&sum, &highest, &taken, &place);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let updated =
                        sum.fetch_update(Ordering::AcqRel, Ordering::Acquire, |it| Some(it + round));
                    assert!(updated.is_ok());
                    highest.fetch_max(thread * round, Ordering::AcqRel);
                    while taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
                        std::hint::spin_loop();
                    }
                    **place.try_lock().expect("whoever spins holds it alone") += 1;
                    taken.store(false, Ordering::Release);
                }
            });
        }
    });
    println!("atomics: {}, {}, {guarded}", sum.into_inner(), highest.into_inner());
}
