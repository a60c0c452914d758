// SPDX-License-Identifier: MIT
//! Quotas on their way between domains.

use genode_config::{Args, Bytes, Quota};
use genode_rt::services::pd;
use genode_rt::{Env, Result};

/// Gives one domain quota of another, all of it or nothing.
pub fn transfer(from: pd::Client, to: pd::Client, amount: Quota) -> Result<()> {
    let Quota { ram: Bytes(ram), caps } = amount;
    if ram > 0 {
        from.transfer_ram(to.0, ram)?;
    }
    if caps == 0 {
        return Ok(());
    }
    let moved = from.transfer_caps(to.0, caps);
    if moved.is_err() && ram > 0 {
        // It came from there a moment ago, so that it can go back.
        let _ = to.transfer_ram(from.0, ram);
    }
    moved
}

/// What init has and has not used.
pub fn available(env: Env) -> Result<Quota> {
    let (ram, ram_used, caps, caps_used) = env.pd.quota()?;
    Ok(Quota { ram: Bytes(ram.saturating_sub(ram_used)), caps: caps.saturating_sub(caps_used) })
}

/// What a client gives with a session.
pub fn given(args: &Args) -> Quota {
    let of = |name| args.number(name).unwrap_or(0);
    Quota { ram: Bytes(of("ram_quota")), caps: of("cap_quota") }
}

/// Names what is given in a session's arguments.
pub fn name(args: &mut Args, Quota { ram, caps }: Quota) {
    args.set_bytes("ram_quota", ram);
    args.set_number("cap_quota", caps);
}
