// SPDX-License-Identifier: MIT
//! Counts primes: a program to try the commands of docs/src/own-program.md on.

fn main() {
    let mut composite = vec![false; 20_000];
    let mut found = 0;
    for number in 2..composite.len() {
        if composite[number] {
            continue;
        }
        found += 1;
        for multiple in (2 * number..composite.len()).step_by(number) {
            composite[multiple] = true;
        }
    }
    println!("{found} primes below 20000");
}
