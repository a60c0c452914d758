// SPDX-License-Identifier: MIT
//! What threads are: how they start and end, what is their own, how they panic, and how they wait. Built as a
//! static executable that relocates itself.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    results();
    scopes();
    names_and_stacks();
    locals();
    panics();
    parking();
    sleeping();
    println!("at least one processor: {}", thread::available_parallelism().is_ok_and(|it| it.get() >= 1));
    many();
    println!("all steps are done");
}

/// A thread's result comes to whoever joins it.
fn results() {
    let threads: Vec<_> = (0..4_u64).map(|it| thread::spawn(move || (0..=it * 1000).sum::<u64>())).collect();
    let sums: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("it ends")).collect();
    println!("results: {sums:?}");
}

/// Scoped threads borrow, each its own part of one array.
fn scopes() {
    let mut numbers: Vec<u64> = (0..4096).collect();
    thread::scope(|scope| {
        for (part, numbers) in numbers.chunks_mut(1024).enumerate() {
            scope.spawn(move || numbers.iter_mut().for_each(|number| *number = *number * 3 + part as u64));
        }
        // A thread of a scope starts another one.
        scope.spawn(|| scope.spawn(|| ()).join());
    });
    println!("scopes: {}", numbers.iter().sum::<u64>());
}

fn names_and_stacks() {
    fn deep(levels: u64) -> u64 {
        let room = std::hint::black_box([levels; 64]);
        if levels == 0 { room[63] } else { room[0] + deep(levels - 1) }
    }
    let builder = thread::Builder::new().name("worker".to_owned()).stack_size(4 << 20);
    let work = || (thread::current().name().map(str::to_owned), deep(2000));
    let said = builder.spawn(work).expect("there is memory").join().expect("it ends");
    println!("names and stacks: {said:?}, main is {:?}", thread::current().name());
    assert_ne!(thread::current().id(), thread::spawn(|| thread::current().id()).join().expect("it ends"));
}

/// What a thread has of its own is destroyed when it ends, before anybody joins it.
fn locals() {
    static DESTROYED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    struct Owned(&'static str);
    impl Drop for Owned {
        fn drop(&mut self) {
            DESTROYED.lock().expect("nobody panics").push(format!("{} {}", self.0, COUNT.get()));
        }
    }
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(7) };
        static OWNED: RefCell<Option<Owned>> = const { RefCell::new(None) };
    }
    for name in ["first", "second", "third"] {
        let work = move || {
            COUNT.set(COUNT.get() + name.len() as u32);
            OWNED.set(Some(Owned(name)));
        };
        thread::spawn(work).join().expect("it ends");
    }
    println!("locals: {:?}, here {}", DESTROYED.lock().expect("nobody panics"), COUNT.get());
}

/// A panic ends its thread alone, runs what has to be run on the way, and comes to whoever joins.
fn panics() {
    static UNWOUND: AtomicU32 = AtomicU32::new(0);
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            UNWOUND.fetch_add(u32::from(thread::panicking()), Ordering::Relaxed);
        }
    }
    fn text(payload: Box<dyn std::any::Any + Send>) -> String {
        payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "no text".to_owned())
    }
    // The usual hook prints the thread's number.
    panic::set_hook(Box::new(|info| eprintln!("hook: line {}", info.location().map_or(0, |it| it.line()))));
    let threads: Vec<_> = (0..3_usize)
        .map(|index| {
            thread::spawn(move || {
                let _guard = Guard;
                let numbers = [10, 20];
                assert!(index < 2 || numbers.len() > index, "thread {index} has no number");
                numbers[std::hint::black_box(index)]
            })
        })
        .collect();
    let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().map_err(text)).collect();
    println!("panics: {ends:?}, {} unwound", UNWOUND.load(Ordering::Relaxed));
    let caught = panic::catch_unwind(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("{}", "in a scope"));
        });
    });
    println!("a scope tells of a panic: {}", caught.is_err());
    drop(panic::take_hook());
}

/// A parked thread goes on when it is told to, and at once if it was told before.
fn parking() {
    static GO: AtomicBool = AtomicBool::new(false);
    let parked = thread::spawn(|| {
        while !GO.load(Ordering::Acquire) {
            thread::park();
        }
        thread::current().unpark();
        thread::park();
        let before = Instant::now();
        thread::park_timeout(Duration::from_millis(2));
        before.elapsed() >= Duration::from_millis(2)
    });
    thread::sleep(Duration::from_millis(1));
    GO.store(true, Ordering::Release);
    parked.thread().unpark();
    println!("parking: waited {}", parked.join().expect("it ends"));
}

/// Threads wake up in the order of how long they sleep.
fn sleeping() {
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for ms in [400, 20, 200] {
            let order = &order;
            scope.spawn(move || {
                let before = Instant::now();
                thread::sleep(Duration::from_millis(ms));
                assert!(before.elapsed() >= Duration::from_millis(ms));
                order.lock().expect("nobody panics").push(ms);
            });
        }
    });
    println!("sleeping: {:?}", order.into_inner().expect("nobody panics"));
}

/// What ended threads leave, such as stacks, is there for the next ones.
fn many() {
    let sum: u64 = (0..100).map(|it| thread::spawn(move || it).join().expect("it ends")).sum();
    println!("many: {sum}");
}
