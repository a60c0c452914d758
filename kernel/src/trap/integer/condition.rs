// SPDX-License-Identifier: MIT
//! Conditions of SETcc and CMOVcc.

use iced_x86::ConditionCode;

use super::super::arithmetic::{CARRY, OVERFLOW, PARITY, SIGN, ZERO};

/// Whether a condition holds.
pub fn holds(condition: ConditionCode, flags: u64) -> bool {
    let has = |flag| flags & flag != 0;
    let is_less = has(SIGN) != has(OVERFLOW);
    match condition {
        ConditionCode::None => false,
        ConditionCode::o => has(OVERFLOW),
        ConditionCode::no => !has(OVERFLOW),
        ConditionCode::b => has(CARRY),
        ConditionCode::ae => !has(CARRY),
        ConditionCode::e => has(ZERO),
        ConditionCode::ne => !has(ZERO),
        ConditionCode::be => has(CARRY | ZERO),
        ConditionCode::a => !has(CARRY | ZERO),
        ConditionCode::s => has(SIGN),
        ConditionCode::ns => !has(SIGN),
        ConditionCode::p => has(PARITY),
        ConditionCode::np => !has(PARITY),
        ConditionCode::l => is_less,
        ConditionCode::ge => !is_less,
        ConditionCode::le => has(ZERO) || is_less,
        ConditionCode::g => !has(ZERO) && !is_less,
    }
}
