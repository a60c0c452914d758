// SPDX-License-Identifier: MIT
//! A Fourier transform of a signal made of known tones, and back.

use std::f64::consts::TAU;

use crate::Step;

#[derive(Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}

impl Complex {
    fn turn(angle: f64) -> Self {
        Self { re: angle.cos(), im: angle.sin() }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn minus(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

/// Radix-2 transform in place; `direction` is -1 there and 1 back.
fn transform(values: &mut [Complex], direction: f64) {
    let length = values.len();
    for index in 0..length {
        let mirrored = index.reverse_bits() >> (usize::BITS - length.trailing_zeros());
        if mirrored > index {
            values.swap(index, mirrored);
        }
    }
    let mut half = 1;
    while half < length {
        let turns: Vec<Complex> =
            (0..half).map(|k| Complex::turn(direction * TAU * k as f64 / (2 * half) as f64)).collect();
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), turn) in low.iter_mut().zip(high).zip(&turns) {
                let turned = b.times(*turn);
                (*a, *b) = (a.plus(turned), a.minus(turned));
            }
        }
        half *= 2;
    }
}

/// Finds the tones again, the energy of the signal in its spectrum, and the signal after the way back.
pub fn spectrum() -> Step {
    const LENGTH: usize = 1 << 13;
    const TONES: [(usize, f64); 3] = [(57, 1.0), (1013, 0.5), (2051, 0.25)];
    let signal: Vec<f64> = (0..LENGTH)
        .map(|at| {
            TONES
                .iter()
                .map(|&(tone, loud)| loud * (TAU * (tone * at % LENGTH) as f64 / LENGTH as f64).sin())
                .sum()
        })
        .collect();
    let mut values: Vec<Complex> = signal.iter().map(|&re| Complex { re, im: 0.0 }).collect();
    transform(&mut values, -1.0);
    let power = |value: &Complex| value.re * value.re + value.im * value.im;
    let mut peaks: Vec<usize> = (1..LENGTH / 2).filter(|&k| power(&values[k]) > LENGTH as f64).collect();
    peaks.sort_by(|&a, &b| power(&values[b]).total_cmp(&power(&values[a])));
    let heard = peaks.iter().copied().eq(TONES.iter().map(|&(tone, _)| tone));
    let there: f64 = signal.iter().map(|value| value * value).sum();
    let spread: f64 = values.iter().map(power).sum::<f64>() / LENGTH as f64;
    transform(&mut values, 1.0);
    let off = values
        .iter()
        .zip(&signal)
        .map(|(value, was)| (value.re / LENGTH as f64 - was).abs())
        .fold(0.0, f64::max);
    Step {
        what: format!("waves    {LENGTH} samples, there and back"),
        result: format!("tones {peaks:?}"),
        holds: heard && ((there - spread) / there).abs() < 1e-12 && off < 1e-12,
    }
}
