// SPDX-License-Identifier: MIT
//! The table of all services: which calls there are, by which numbers, and what they carry.
//!
//! Behind the name of a service stands what a client gives for a session at first, in bytes and capabilities.
//! Sessions are asked for by name, with arguments as text: `label="..", ram_quota=.., cap_quota=..` and what a service
//! wants beside. A capability of nothing as an argument takes back what was there before.

use arrayvec::{ArrayString, ArrayVec};

use crate::Cap;

/// The arguments of a session.
pub type Args = ArrayString<400>;
/// The name of a service, of a thread, of a resource.
pub type Name = ArrayString<64>;
/// A piece of output.
pub type Line = ArrayString<232>;
/// Bytes by value.
pub type Blob = ArrayVec<u8, 1024>;

/// The numbers by which a component's first sessions are asked for.
pub mod environment {
    /// The session of its protection domain.
    pub const PD: u64 = 1;
    /// The session by which it has threads.
    pub const CPU: u64 = 2;
    /// The session by which it is heard.
    pub const LOG: u64 = 3;
    /// The session of its executable.
    pub const BINARY: u64 = 4;
    /// The session of its dynamic linker, which is its executable here.
    pub const LINKER: u64 = 5;
    /// The first number that a component itself may choose.
    pub const FREE: u64 = 16;
}

/// What may be done with attached memory beside reading it, as bits.
pub mod access {
    /// It may be written.
    pub const WRITE: u64 = 2;
    /// It may be executed.
    pub const EXECUTE: u64 = 4;
}

/// Kinds of threads.
pub mod kind {
    /// A thread that serves portals on its callers' time.
    pub const LOCAL: u64 = 0;
    /// A thread with time of its own.
    pub const GLOBAL: u64 = 1;
}

/// What a server answers to the request for a session, beside giving it.
pub mod response {
    /// The session is refused.
    pub const DENIED: u64 = 0;
    /// The session was upgraded.
    pub const OK: u64 = 1;
    /// The session was closed.
    pub const CLOSED: u64 = 2;
    /// The session takes more RAM.
    pub const INSUFFICIENT_RAM: u64 = 3;
    /// The session takes more capabilities.
    pub const INSUFFICIENT_CAPS: u64 = 4;
}

/// An address that leaves the choice of the place to core.
pub const ANYWHERE: u64 = 0;

crate::services! {
    /// A component's parent, by the portal that it begins with.
    parent = "Parent", 0, 0 {
        /// Ends the component with a value.
        0x100 => exit(value: u64);
        /// Tells that a service is served from now on.
        0x101 => announce(service: Name);
        /// Asks for a session by a number of the client's choice; the capability is none as long as it is not there yet.
        0x102 => session(id: u64, service: Name, args: Args) -> Cap;
        /// The capability of a session, or none as long as it is not there yet.
        0x103 => session_cap(id: u64) -> Cap;
        /// Names the signal of sessions that are there, or are refused.
        0x104 => session_sigh(signal: Cap);
        /// Gives a session more of the client's quota.
        0x105 => upgrade(id: u64, args: Args);
        /// Gives a session back.
        0x106 => close(id: u64);
        /// Answers a request of the ROM of session requests otherwise than by giving the session.
        0x107 => session_response(id: u64, response: u64);
        /// Gives the session of a request of the ROM of session requests.
        0x108 => deliver_session_cap(id: u64, session: Cap);
        /// The component's main thread.
        0x109 => main_thread() -> Cap;
        /// Names the signal of more resources.
        0x10a => resource_avail_sigh(signal: Cap);
        /// Asks for resources, by `ram_quota=.., cap_quota=..`.
        0x10b => resource_request(args: Args);
        /// Names the signal of a request to give resources back.
        0x10c => yield_sigh(signal: Cap);
        /// What of its resources the component is to give back.
        0x10d => yield_request() -> Args;
        /// Tells that resources were given back.
        0x10e => yield_response();
        /// Names the signal of the parent's wish to hear that the component lives.
        0x10f => heartbeat_sigh(signal: Cap);
        /// Tells that the component lives.
        0x110 => heartbeat_response();
        /// The first sessions at once: domain, threads, output.
        0x111 => environment() -> (Cap, Cap, Cap);
    }

    /// Text that goes to the console, each line behind the session's label.
    log = "LOG", 8192, 2 {
        /// Writes lines.
        0x200 => write(text: Line);
    }

    /// A piece of memory that can be read, and may change from one version to the next.
    rom = "ROM", 6144, 3 {
        /// The current version: its dataspace and its length in bytes.
        0x300 => dataspace() -> (Cap, u64);
        /// Has the dataspace follow the newest version, if that fits; tells whether it did.
        0x301 => update() -> bool;
        /// Names the signal of a new version.
        0x302 => sigh(signal: Cap);
    }

    /// A protection domain: its memory, its address space, what it is entitled to.
    pd = "PD", 196608, 13 {
        /// Takes memory of zeros, in bytes, from the domain's RAM quota and one of its capabilities.
        0x400 => alloc_ds(size: u64) -> Cap;
        /// Gives memory back; it is gone from all address spaces.
        0x401 => free_ds(dataspace: Cap);
        /// The bytes of a dataspace.
        0x402 => ds_size(dataspace: Cap) -> u64;
        /// Takes the right to write from a dataspace for ever.
        0x403 => seal(dataspace: Cap);
        /// Shows bytes of a dataspace, whole pages, in the domain's address space, at an address or [`ANYWHERE`].
        /// A size of 0 is all from the offset on. Tells the address.
        0x404 => attach(dataspace: Cap, offset: u64, size: u64, at: u64, access: u64) -> u64;
        /// Takes away what was attached at an address.
        0x405 => detach(at: u64);
        /// The domain's address space as a region map.
        0x406 => address_space() -> Cap;
        /// Makes the domain whose quota this one may get, and get back, its quota from.
        0x407 => ref_account(pd: Cap);
        /// Gives another domain RAM quota, in bytes; one of both is the other's reference account.
        0x408 => transfer_ram(to: Cap, amount: u64);
        /// Gives another domain quota of capabilities; one of both is the other's reference account.
        0x409 => transfer_caps(to: Cap, amount: u64);
        /// RAM quota and how much of it is used, capabilities and how many of them are used.
        0x40a => quota() -> (u64, u64, u64, u64);
        /// Turns pages of the domain's RAM quota into kernel memory for its portals, semaphores and mappings.
        0x40b => kquota(pages: u64);
        /// Gives the domain the portal to its parent, at the selector where it looks for it.
        0x40c => assign_parent(parent: Cap);
        /// Has the PEs of a domain that has no thread yet run otherwise: mode (0 off, 1 dual, 2 triple), recovery (0 restart, 1 vote), flush
        /// (0 never, 1 lines, 2 all, 3 retry), each 255 for the run's, and the limit, at most the run's, which 0 stands
        /// for.
        0x40d => replay(mode: u64, recovery: u64, flush: u64, limit: u64);
    }

    /// Threads.
    cpu = "CPU", 36864, 6 {
        /// Makes a thread of a domain: its kind, the slot of its stack, and where its stack begins. A thread with time
        /// of its own waits to be started. Gives the thread and what portals are made of.
        0x500 => create_thread(pd: Cap, name: Name, kind: u64, slot: u64, stack: u64) -> (Cap, Cap);
        /// Ends a thread.
        0x501 => kill_thread(thread: Cap);
        /// Names the signal of exceptions of all threads of the session.
        0x502 => exception_sigh(signal: Cap);
    }

    /// A thread.
    cpu_thread = "Cpu_thread", 0, 0 {
        /// Has the thread begin at an address, with a stack pointer.
        0x600 => start(ip: u64, stack: u64);
        /// Stops the thread.
        0x601 => pause();
        /// Has the thread go on.
        0x602 => resume();
        /// Instruction pointer and stack pointer of the last event that stopped the thread.
        0x603 => state() -> (u64, u64);
        /// Names the signal of the thread's exceptions.
        0x604 => exception_sigh(signal: Cap);
    }

    /// Region maps that are no address space themselves, but can be attached to one.
    rm = "RM", 24576, 3 {
        /// Makes a region map of so many bytes.
        0x700 => create(size: u64) -> Cap;
        /// Gives a region map back.
        0x701 => destroy(map: Cap);
    }

    /// A region map.
    region_map = "Region_map", 0, 0 {
        /// Shows bytes of a dataspace at an offset of the map, or [`ANYWHERE`]. Tells where.
        0x780 => attach(dataspace: Cap, offset: u64, size: u64, at: u64, access: u64) -> u64;
        /// Takes away what was attached.
        0x781 => detach(at: u64);
        /// The map as a dataspace.
        0x782 => dataspace() -> Cap;
        /// Names the signal of faults that nothing is attached for.
        0x783 => fault_handler(signal: Cap);
        /// The oldest of these faults that is still there: whether there is one, whether it is a write, and where.
        0x784 => fault() -> (bool, bool, u64);
    }

    /// Memory of a device, by the arguments `base` and `size`.
    io_mem = "IO_MEM", 6144, 3 {
        /// The memory.
        0x800 => dataspace() -> Cap;
    }

    /// Ports of a device, by the arguments `io_port_base` and `io_port_size`.
    io_port = "IO_PORT", 6144, 2 {
        /// Reads a port of so many bytes: 1, 2 or 4.
        0x900 => input(port: u64, width: u64) -> u64;
        /// Writes a port of so many bytes: 1, 2 or 4.
        0x901 => output(port: u64, width: u64, value: u64);
        /// Gives a domain the session's ports, so that it accesses them by itself.
        0x902 => grant(pd: Cap);
    }

    /// An interrupt line, by the argument `irq_number`.
    irq = "IRQ", 6144, 3 {
        /// Names the signal of interrupts.
        0xa00 => sigh(signal: Cap);
        /// Allows the next interrupt.
        0xa01 => ack();
    }

    /// Time.
    timer = "Timer", 8192, 2 {
        /// Has one signal sent after so many microseconds; 0 takes a request back.
        0xb00 => trigger_once(microseconds: u64);
        /// Has a signal sent every so many microseconds; 0 ends that.
        0xb01 => trigger_periodic(microseconds: u64);
        /// Names the signal.
        0xb02 => sigh(signal: Cap);
        /// Milliseconds since the session was opened.
        0xb03 => elapsed_ms() -> u64;
        /// Microseconds since the session was opened.
        0xb04 => elapsed_us() -> u64;
    }

    /// Reports, which somebody else reads as ROMs.
    report = "Report", 14336, 4 {
        /// The memory in which reports are made.
        0xc00 => dataspace() -> Cap;
        /// Publishes so many bytes of it.
        0xc01 => submit(length: u64);
        /// Names the signal of a response.
        0xc02 => response_sigh(signal: Cap);
        /// The length of the response, which is in the memory then.
        0xc03 => obtain() -> u64;
    }

    /// Small calls, to be measured and shown.
    echo = "Echo", 8192, 4 {
        /// The sum of two numbers.
        0xd00 => add(a: u64, b: u64) -> u64;
        /// Gives back the bytes that it gets.
        0xd01 => blob(bytes: Blob) -> Blob;
        /// A new object of this kind.
        0xd02 => make() -> Cap;
        /// Has a signal sent.
        0xd03 => signal(signal: Cap);
    }

    /// A packet stream over shared memory.
    packet = "Packet", 8192, 6 {
        /// The memory of the stream.
        0xe00 => dataspace() -> Cap;
        /// Gives the source's signals, that there is room for packets and that there are acknowledgements; gets the
        /// sink's, that there are packets and that there is room for acknowledgements.
        0xe01 => connect(ready_to_submit: Cap, ack_avail: Cap) -> (Cap, Cap);
    }
}
