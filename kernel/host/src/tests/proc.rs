// SPDX-License-Identifier: MIT
//! The files that are not stored: what they say, where they lead, and who may do what with them.

use linux_raw_sys::general::{O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};

use super::*;
use crate::linux::Status;

/// Where what is read goes: a page that a mapping has.
const PLACE: u64 = DATA + PAGE_LEN;

impl Process {
    fn opens(&mut self, path: &str, flags: u32) -> Result<u64, u32> {
        let path = self.string(path);
        self.call(Sysno::open, &[path, flags.into(), 0o644])
    }

    fn reads(&mut self, path: &str) -> Result<String, u32> {
        let fd = self.opens(path, O_RDONLY)?;
        let mut all = Vec::new();
        loop {
            let length = match self.call(Sysno::read, &[fd, PLACE, 1000]) {
                Ok(0) => break,
                length => length?,
            };
            all.extend(self.peek(PLACE, length as usize));
        }
        self.call(Sysno::close, &[fd]).unwrap();
        Ok(String::from_utf8(all).unwrap())
    }

    fn leads_to(&mut self, path: &str) -> Result<String, u32> {
        let path = self.string(path);
        let length = self.call(Sysno::readlink, &[path, PLACE, 1000])?;
        Ok(String::from_utf8(self.peek(PLACE, length as usize)).unwrap())
    }

    /// Names in a directory; getdents64 is given room for a few at a time.
    fn names(&mut self, path: &str) -> Vec<String> {
        let fd = self.opens(path, O_RDONLY | O_DIRECTORY).unwrap();
        let mut names = Vec::new();
        loop {
            let length = self.call(Sysno::getdents64, &[fd, PLACE, 100]).unwrap();
            if length == 0 {
                self.call(Sysno::close, &[fd]).unwrap();
                return names;
            }
            let bytes = self.peek(PLACE, length as usize);
            let mut records = &bytes[..];
            while !records.is_empty() {
                let (record, rest) =
                    records.split_at(usize::from(u16::from_le_bytes([records[16], records[17]])));
                let name = record[19..].split(|byte| *byte == 0).next().unwrap();
                names.push(String::from_utf8(name.to_vec()).unwrap());
                records = rest;
            }
        }
    }

    fn value_of(&mut self, path: &str, key: &str) -> String {
        let text = self.reads(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim().to_owned()
    }
}

#[test]
fn a_process_is_told_of_its_areas_and_their_files() {
    let mut process = Process::new();
    let maps = process.reads("/proc/self/maps").unwrap();
    let lines: Vec<&str> = maps.lines().collect();
    // The text, the page of the data segment that is in the file, its zeros, and the stack.
    let id = maps.split(' ').nth(4).unwrap();
    let text = format!("{:73}/prog", format!("00400000-00401000 r-xp 00000000 00:01 {id} "));
    let data = format!("{:73}/prog", format!("00600000-00601000 rw-p 00001000 00:01 {id} "));
    assert_eq!(lines[..3], [&text[..], &data[..], "00601000-00604000 rw-p 00000000 00:00 0 "]);
    assert!(lines[3].contains(" rw-p 00000000 00:00 0 ") && lines[3][73..] == *"[stack]", "{}", lines[3]);
    assert_eq!(lines.len(), 4);

    let motd = process.opens("/etc/motd", O_RDWR).unwrap();
    let shared = process.call(Sysno::mmap, &[0, PAGE_LEN, 1, 1, motd, 0]).unwrap();
    let anonymous = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x21, u64::MAX, 0]).unwrap();
    process.call(Sysno::brk, &[DATA + 6 * PAGE_LEN]).unwrap();
    let maps = process.reads("/proc/self/maps").unwrap();
    let line = |start: u64| maps.lines().find(|line| line.starts_with(&format!("{start:08x}-"))).unwrap();
    assert!(line(shared).contains(" r--s 00000000 00:01 ") && line(shared).ends_with("   /etc/motd"));
    assert!(line(anonymous).ends_with(" rw-s 00000000 00:00 0 "), "{}", line(anonymous));
    assert!(line(DATA + 4 * PAGE_LEN).ends_with(" [heap]"));
    // A file that has lost its name is called by its number.
    let motd = process.string("/etc/motd");
    process.call(Sysno::unlink, &[motd]).unwrap();
    let maps = process.reads("/proc/self/maps").unwrap();
    assert!(maps.contains(" (deleted)\n") && !maps.contains("motd"), "{maps}");
}

#[test]
fn what_was_read_in_pieces_is_of_one_moment() {
    let mut process = Process::new();
    let fd = process.opens("/proc/self/maps", O_RDONLY).unwrap();
    let first = process.call(Sysno::read, &[fd, PLACE, 40]).unwrap() as usize;
    let mut pieces = process.peek(PLACE, first);
    let whole = process.reads("/proc/self/maps").unwrap();
    process.call(Sysno::munmap, &[DATA + 3 * PAGE_LEN, PAGE_LEN]).unwrap();
    loop {
        let length = process.call(Sysno::read, &[fd, PLACE, 40]).unwrap() as usize;
        if length == 0 {
            break;
        }
        pieces.extend(process.peek(PLACE, length));
    }
    assert_eq!(String::from_utf8(pieces).unwrap(), whole);
    // Read from the beginning, it is made anew.
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 0]), Ok(0));
    let length = process.call(Sysno::read, &[fd, PLACE, 4096]).unwrap() as usize;
    assert_ne!(process.peek(PLACE, length), whole.as_bytes());
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 2]), Err(errno::EINVAL));
    assert_eq!(process.call(Sysno::pread64, &[fd, PLACE, 5, 1 << 20]), Ok(0));
}

#[test]
fn strings_and_numbers_are_those_of_the_program() {
    let mut process = Process::new();
    assert_eq!(process.reads("/proc/self/cmdline").unwrap(), "./prog\0second\0");
    assert_eq!(process.reads("/proc/self/environ").unwrap(), "A=1\0");
    assert_eq!(process.reads("/proc/self/comm").unwrap(), "prog\n");
    let fd = process.opens("/proc/self/auxv", O_RDONLY).unwrap();
    let length = process.call(Sysno::read, &[fd, PLACE, 1000]).unwrap() as usize;
    let words: Vec<u64> = process
        .peek(PLACE, length)
        .chunks(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let value = |kind| words.chunks(2).find(|pair| pair[0] == kind).map(|pair| pair[1]);
    assert_eq!((value(6), value(9)), (Some(PAGE_LEN), Some(TEXT + 0x200)));
    assert_eq!(words[words.len() - 2..], [0, 0]);
    let stat = process.reads("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.trim_end().split(' ').collect();
    assert_eq!((fields.len(), &fields[..6]), (52, &["1000", "(prog)", "R", "1", "1000", "1000"][..]));
    assert_eq!((fields[19], fields[25], fields[37]), ("1", &TEXT.to_string()[..], "17"));
    let status = "/proc/self/status";
    assert_eq!(process.value_of(status, "Umask:"), "0022");
    assert_eq!(process.value_of(status, "Threads:"), "1");
    // The whole program, its data and the stack, of which each is there that was touched.
    assert_eq!(process.value_of(status, "VmSize:"), format!("{} kB", 8192 + 4 + 16));
    let resident = process.reads("/proc/self/statm").unwrap();
    assert!(resident.starts_with(&format!("{} ", 2048 + 5)), "{resident}");
    process.poke(DATA, &u64::to_le_bytes(1 << 9));
    process.call(Sysno::rt_sigprocmask, &[0, DATA, 0, 8]).unwrap();
    assert_eq!(process.value_of(status, "SigBlk:"), "0000000000000200");
    let limits = process.reads("/proc/self/limits").unwrap();
    let row = "Max open files            1024                 1024                 files     ";
    assert!(limits.lines().any(|line| line == row), "{limits}");
}

#[test]
fn links_lead_to_what_is_meant() {
    let mut process = Process::new();
    assert_eq!(process.leads_to("/proc/self").unwrap(), "1000");
    assert_eq!(process.leads_to("/proc/thread-self").unwrap(), "1000/task/1000");
    assert_eq!(process.leads_to("/proc/self/exe").unwrap(), "/prog");
    assert_eq!(process.leads_to("/proc/self/cwd").unwrap(), "/");
    let motd = process.opens("/etc/motd", O_RDONLY).unwrap();
    assert_eq!(process.leads_to(&format!("/proc/self/fd/{motd}")).unwrap(), "/etc/motd");
    // What is opened by its descriptor is the file, with an offset of its own.
    process.call(Sysno::read, &[motd, PLACE, 3]).unwrap();
    assert_eq!(process.reads(&format!("/proc/self/fd/{motd}")).unwrap(), "be well\n");
    assert_eq!(process.leads_to("/proc/self/fd/1").unwrap(), "pipe:[1]");
    let output = process.opens("/proc/self/fd/1", O_WRONLY).unwrap();
    process.poke(PLACE, b"said");
    assert_eq!(process.call(Sysno::write, &[output, PLACE, 4]), Ok(4));
    assert_eq!(crate::arch::channel::take(), b"said");
    assert_eq!(process.opens("/proc/self/fd/9", O_RDONLY), Err(errno::ENOENT));
    assert_eq!(process.opens("/proc/self/exe", O_RDONLY | O_NOFOLLOW), Err(errno::ELOOP));
    let name = process.string("/tmp/name");
    let nameless = process.call(Sysno::memfd_create, &[name, 0]).unwrap();
    let link = process.leads_to(&format!("/proc/self/fd/{nameless}")).unwrap();
    assert!(link.starts_with("/#") && link.ends_with(" (deleted)"), "{link}");
    // A path goes on behind a link to a directory.
    let etc = process.opens("/etc", O_PATH).unwrap();
    assert_eq!(process.reads(&format!("/proc/self/fd/{etc}/motd")).unwrap(), "be well\n");
    assert_eq!(process.opens(&format!("/proc/self/fd/{motd}/x"), O_RDONLY), Err(errno::ENOTDIR));
    let path = process.string("/proc/self/task/1000");
    process.call(Sysno::chdir, &[path]).unwrap();
    assert_eq!(process.call(Sysno::getcwd, &[PLACE, 100]), Ok(21));
    assert_eq!(process.peek(PLACE, 21), b"/proc/1000/task/1000\0");
    assert_eq!(process.reads("../../../sys/kernel/ostype").unwrap(), "Linux\n");
    assert_eq!(process.reads("../../../../etc/motd").unwrap(), "be well\n");
}

#[test]
fn an_executable_keeps_its_place_whatever_becomes_of_its_name() {
    let mut process = Process::new();
    process.poke(PLACE, b"again\0");
    for (index, word) in [PLACE, 0].into_iter().enumerate() {
        process.poke(PLACE + 16 + 8 * index as u64, &u64::to_le_bytes(word));
    }
    let path = process.string("/bin/other");
    assert_eq!(process.call(Sysno::execve, &[path, PLACE + 16, PLACE + 24]), Ok(0));
    assert_eq!(process.leads_to("/proc/self/exe").unwrap(), "/bin/other");
    assert_eq!(process.reads("/proc/self/cmdline").unwrap(), "again\0");
    let new = "/tmp/new";
    let old = process.string("/bin/other");
    process.poke(PLACE, format!("{new}\0").as_bytes());
    process.call(Sysno::rename, &[old, PLACE]).unwrap();
    assert_eq!(process.leads_to("/proc/self/exe").unwrap(), new);
    let path = process.string(new);
    process.call(Sysno::unlink, &[path]).unwrap();
    assert!(process.leads_to("/proc/self/exe").unwrap().ends_with(" (deleted)"));
    let fd = process.opens("/proc/self/exe", O_RDONLY).unwrap();
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 2]), Ok(2 * PAGE_LEN));
    process.audit();
}

#[test]
fn directories_list_what_is_there() {
    let mut process = Process::new();
    let names = process.names("/proc/self/fd");
    assert_eq!(names, [".", "..", "0", "1", "2", "3"]);
    let all = process.names("/proc");
    assert!(["self", "1000", "cpuinfo", "sys"].iter().all(|name| all.iter().any(|it| it == name)), "{all:?}");
    for name in process.names("/proc/self").iter().skip(2) {
        let found = process.string(&format!("/proc/self/{name}"));
        assert_eq!(process.call(Sysno::lstat, &[found, DATA]), Ok(0), "{name}");
    }
    assert_eq!(
        process.names("/sys/devices/system/cpu"),
        [".", "..", "cpu0", "online", "possible", "present"]
    );
    let second = process.spawn(DATA + 2 * PAGE_LEN, PLACE, TEXT);
    assert_eq!(process.names("/proc/self/task"), [".", "..", "1000", "1001"]);
    assert_eq!(process.reads("/proc/1001/stat"), Err(errno::ENOENT));
    let stat = process.reads("/proc/self/task/1001/stat").unwrap();
    assert!(stat.starts_with("1001 (prog) R 1 "), "{stat}");
    process.switch_to(second);
    assert_eq!(process.leads_to("/proc/thread-self").unwrap(), "1000/task/1001");
}

#[test]
fn names_of_threads_are_written_and_nothing_else() {
    let mut process = Process::new();
    process.spawn(DATA + 2 * PAGE_LEN, PLACE, TEXT);
    let fd = process.opens("/proc/self/task/1001/comm", O_RDWR | O_TRUNC).unwrap();
    process.poke(PLACE, b"a name that is too long");
    assert_eq!(process.call(Sysno::write, &[fd, PLACE, 23]), Ok(23));
    assert_eq!(process.reads("/proc/self/task/1001/comm").unwrap(), "a name that is \n");
    assert_eq!(process.reads("/proc/self/comm").unwrap(), "prog\n");
    for (path, refusal) in [("/proc/self/maps", errno::EINVAL), ("/proc/version", errno::EIO)] {
        let fd = process.opens(path, O_RDWR).unwrap();
        assert_eq!(process.call(Sysno::write, &[fd, PLACE, 1]), Err(refusal), "{path}");
    }
    assert_eq!(process.opens("/proc/sys/kernel/hostname", O_WRONLY), Err(errno::EROFS));
    assert_eq!(process.opens("/proc/new", O_RDWR | O_CREAT), Err(errno::ENOENT));
    assert_eq!(process.opens("/proc/self", O_RDWR), Err(errno::EISDIR));
    let path = process.string("/proc/version");
    assert_eq!(process.call(Sysno::unlink, &[path]), Err(errno::EPERM));
    assert_eq!(process.call(Sysno::chmod, &[path, 0o777]), Err(errno::EPERM));
    assert_eq!(process.call(Sysno::access, &[path, 1]), Err(errno::EACCES));
    assert_eq!(process.call(Sysno::execve, &[path, 0, 0]), Err(errno::EACCES));
    process.poke(PLACE, b"/tmp/x\0");
    assert_eq!(process.call(Sysno::rename, &[path, PLACE]), Err(errno::EXDEV));
    assert_eq!(process.call(Sysno::rename, &[PLACE, path]), Err(errno::ENOENT));
    assert_eq!(process.call(Sysno::link, &[path, PLACE]), Err(errno::EXDEV));
    process.audit();
}

#[test]
fn the_machine_is_what_programs_are_told_elsewhere() {
    let mut process = Process::new();
    (process.now, process.slept) = (3_250_000_000, 1_000_000_000);
    assert_eq!(process.reads("/proc/uptime").unwrap(), "4.25 1.00\n");
    let stat = process.reads("/proc/stat").unwrap();
    assert!(stat.starts_with("cpu  325 0 0 100 0 0 0 0 0 0\ncpu0 325 0 0 100 "), "{stat}");
    let total = 2 * FRAMES * PAGE_LEN / 1024;
    assert_eq!(process.value_of("/proc/meminfo", "MemTotal:"), format!("{total} kB"));
    assert_eq!(process.value_of("/proc/meminfo", "MemFree:"), format!("{} kB", total / 2));
    assert_eq!(process.reads("/proc/sys/kernel/osrelease").unwrap(), "6.1.0-reprise\n");
    assert_eq!(process.reads("/sys/devices/system/cpu/online").unwrap(), "0\n");
    assert_eq!(process.reads("/proc/self/cgroup"), Err(errno::ENOENT));
    assert_eq!(process.reads("/proc/loadavg"), Err(errno::ENOENT));
}

#[test]
fn nothing_is_left_of_a_process_that_has_ended() {
    let mut process = Process::new();
    let child = process.fork();
    let path = format!("/proc/{child}/stat");
    let fd = process.opens(&path, O_RDONLY).unwrap();
    let directory = process.opens(&format!("/proc/{child}"), O_DIRECTORY).unwrap();
    // The strings of another process are out of reach.
    assert_eq!(process.opens(&format!("/proc/{child}/cmdline"), O_RDONLY), Err(errno::ENOENT));
    process.switch_to(child);
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!(process.call(Sysno::read, &[fd, PLACE, 10]), Err(errno::ESRCH));
    assert_eq!(process.call(Sysno::getdents64, &[directory, PLACE, 100]), Err(errno::ENOENT));
    let name = process.string("stat");
    assert_eq!(process.call(Sysno::openat, &[directory, name, 0]), Err(errno::ENOENT));
    assert_eq!(process.opens(&path, O_RDONLY), Err(errno::ENOENT));
    process.audit();
}
