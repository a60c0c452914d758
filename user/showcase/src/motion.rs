// SPDX-License-Identifier: MIT
//! Five bodies under gravity: energy and momentum have to stay what they were.

use crate::Step;

type Vector = [f64; 3];

struct Body {
    place: Vector,
    speed: Vector,
    mass: f64,
}

/// A sun and four planets on nearly round orbits, in units in which the sun's mass and gravity are one.
fn system() -> Vec<Body> {
    let mut bodies = vec![Body { place: [0.0; 3], speed: [0.0; 3], mass: 1.0 }];
    for (index, (distance, mass)) in
        [(1.0, 1e-3), (1.6, 3e-4), (2.7, 5e-5), (4.4, 2e-5)].into_iter().enumerate()
    {
        let speed = f64::sqrt(1.0 / distance);
        let tilt = 0.05 * index as f64;
        let (place, speed) = match index % 2 {
            0 => ([distance, 0.0, tilt], [0.0, speed, 0.0]),
            _ => ([0.0, -distance, tilt], [speed, 0.0, 0.0]),
        };
        bodies.push(Body { place, speed, mass });
    }
    // The whole stands still.
    let momentum = momentum(&bodies);
    bodies[0].speed = momentum.map(|part| -part);
    bodies
}

fn momentum(bodies: &[Body]) -> Vector {
    std::array::from_fn(|axis| bodies.iter().map(|body| body.mass * body.speed[axis]).sum())
}

fn difference(a: &Vector, b: &Vector) -> Vector {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn square(a: &Vector) -> f64 {
    a[0] * a[0] + a[1] * a[1] + a[2] * a[2]
}

fn energy(bodies: &[Body]) -> f64 {
    let mut sum = 0.0;
    for (index, body) in bodies.iter().enumerate() {
        sum += body.mass * square(&body.speed) / 2.0;
        for other in &bodies[index + 1..] {
            sum -= body.mass * other.mass / square(&difference(&body.place, &other.place)).sqrt();
        }
    }
    sum
}

fn pull(bodies: &mut [Body], step: f64) {
    for index in 1..bodies.len() {
        let (before, rest) = bodies.split_at_mut(index);
        let body = &mut rest[0];
        for other in before {
            let apart = difference(&body.place, &other.place);
            let distance = square(&apart);
            let strength = step / (distance * distance.sqrt());
            for (axis, part) in apart.into_iter().enumerate() {
                body.speed[axis] -= part * other.mass * strength;
                other.speed[axis] += part * body.mass * strength;
            }
        }
    }
}

fn drift(bodies: &mut [Body], step: f64) {
    for body in bodies {
        for axis in 0..3 {
            body.place[axis] += step * body.speed[axis];
        }
    }
}

/// Follows the planets by leapfrog steps.
pub fn planets() -> Step {
    const STEPS: u32 = 8_000;
    const STEP: f64 = 0.005;
    let mut bodies = system();
    let before = energy(&bodies);
    for _ in 0..STEPS {
        drift(&mut bodies, STEP / 2.0);
        pull(&mut bodies, STEP);
        drift(&mut bodies, STEP / 2.0);
    }
    let after = energy(&bodies);
    let still = square(&momentum(&bodies)).sqrt();
    Step {
        what: format!("motion   {} bodies, {STEPS} steps", bodies.len()),
        result: format!("energy {before:.9} to {after:.9}"),
        holds: ((after - before) / before).abs() < 1e-5 && still < 1e-12,
    }
}
