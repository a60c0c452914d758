// SPDX-License-Identifier: MIT
//! Steps on integers, with results that tables and identities know.

use crate::Step;

/// Primes below two hundred thousand.
pub fn sieve() -> Step {
    const LIMIT: usize = 200_000;
    /// Pi(2 x 10^5).
    const PRIMES: usize = 17_984;
    let mut composite = vec![false; LIMIT];
    let mut primes = 0;
    let mut last = 0;
    for candidate in 2..LIMIT {
        if composite[candidate] {
            continue;
        }
        primes += 1;
        last = candidate;
        (candidate * candidate..LIMIT).step_by(candidate).for_each(|multiple| composite[multiple] = true);
    }
    Step {
        what: format!("sieve    numbers below {LIMIT}"),
        result: format!("{primes} primes, the last {last}"),
        holds: primes == PRIMES && last == 199_999,
    }
}

type Matrix = [[u64; 2]; 2];

fn product(a: &Matrix, b: &Matrix, modulus: u64) -> Matrix {
    let cell = |row: usize, column: usize| {
        let sum = u128::from(a[row][0]) * u128::from(b[0][column])
            + u128::from(a[row][1]) * u128::from(b[1][column]);
        (sum % u128::from(modulus)) as u64
    };
    [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
}

fn power(exponent: u64, modulus: u64) -> Matrix {
    let (mut result, mut square) = ([[1, 0], [0, 1]], [[1, 1], [1, 0]]);
    let mut rest = exponent;
    while rest > 0 {
        if rest & 1 == 1 {
            result = product(&result, &square, modulus);
        }
        square = product(&square, &square, modulus);
        rest >>= 1;
    }
    result
}

/// Fibonacci numbers by matrix powers: a known one, and Cassini's identity for many large ones.
pub fn fibonacci() -> Step {
    const MODULUS: u64 = 1_000_000_007;
    let f90 = power(90, u64::MAX)[0][1];
    let cassini = (1..=400u64).all(|step| {
        let index = step * 1_000_003 + step * step;
        let [[next, this], [_, previous]] = power(index, MODULUS);
        let left = next * previous % MODULUS;
        let right = (this * this + if index % 2 == 0 { 1 } else { MODULUS - 1 }) % MODULUS;
        left == right
    });
    Step {
        what: "matrix   Fibonacci numbers, 400 large ones".into(),
        result: format!("F(90) = {f90}"),
        holds: f90 == 2_880_067_194_370_816_120 && cassini,
    }
}

/// Decimal digits of pi by Rabinowitz and Wagon's spigot.
pub fn digits_of_pi() -> Step {
    const DIGITS: usize = 300;
    /// Decimals 291 to 300, by Machin's formula.
    const LAST: &str = "0249141273";
    let length = DIGITS * 10 / 3 + 16;
    let mut remainders = vec![2u32; length];
    let mut digits = String::new();
    let mut held = Vec::new();
    while digits.len() < DIGITS + 20 {
        let mut carry = 0;
        for index in (1..length).rev() {
            let value = remainders[index] * 10 + carry;
            let divisor = 2 * index as u32 + 1;
            remainders[index] = value % divisor;
            carry = value / divisor * index as u32;
        }
        let value = remainders[0] * 10 + carry;
        remainders[0] = value % 10;
        // A nine may still become a zero, and a ten raises what is held.
        match value / 10 {
            9 => held.push(9),
            digit => {
                let raise = u32::from(digit == 10);
                digits.extend(held.drain(..).map(|held: u32| char::from(b'0' + ((held + raise) % 10) as u8)));
                held.push(digit % 10);
            }
        }
    }
    let decimals = digits.trim_start_matches('0').get(1..=DIGITS).unwrap_or("");
    let last = decimals.get(DIGITS - 10..).unwrap_or("");
    Step {
        what: format!("spigot   {DIGITS} decimals of pi"),
        result: format!("3.{}...{last}", decimals.get(..10).unwrap_or("")),
        holds: decimals.starts_with("1415926535") && last == LAST,
    }
}
