//! What the machine lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::path::Path;

/// Memory, in bytes: all of the machine's, or what its control group may have where that is less. None where the system
/// does not say.
///
/// <https://www.kernel.org/doc/html/latest/filesystems/proc.html#meminfo> and
/// <https://www.kernel.org/doc/html/latest/admin-guide/cgroup-v2.html#memory-interface-files>
pub(crate) fn memory() -> Option<usize> {
    memory_below(Path::new("/"))
}

/// How many files and sockets this process may have open at a time; none where there is no limit.
pub(crate) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Takes as many open files as the system gives without asking anybody: what it gives by default is far less. Returns how
/// many there were, and are now.
pub(crate) fn raise_open_files() -> (Option<u64>, Option<u64>) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%error, "no more open files are to be had");
    }
    (current, open_files())
}

fn memory_below(root: &Path) -> Option<usize> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let meminfo = read("proc/meminfo");
    let total = meminfo.lines().find_map(|line| {
        let (number, unit) = line.strip_prefix("MemTotal:")?.trim().split_once(' ')?;
        let kibibytes: usize = number.parse().ok()?;
        (unit == "kB").then(|| kibibytes.saturating_mul(1024))
    });
    let groups = read("proc/self/cgroup");
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next(), parts.next().unwrap_or_default());
        let (folder, file) = match controllers {
            // Version 2 has one hierarchy for all.
            Some("") => ("sys/fs/cgroup", "memory.max"),
            Some("memory") => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        // The limits of the groups around it are its own, too.
        let groups = Path::new(group.trim_start_matches('/')).ancestors();
        let limit = |group: &Path| {
            let path = Path::new(folder).join(group).join(file);
            // Where there is none it says `max`, or a number beyond every machine.
            read(path.to_str()?).trim().parse().ok()
        };
        groups.filter_map(limit).collect()
    });
    limits.chain(total).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_there_may_be() {
        let (before, now) = raise_open_files();
        assert_eq!(now, getrlimit(Resource::Nofile).maximum);
        assert!(now.is_none() || now >= before);
    }

    #[test]
    fn the_least_of_machine_and_groups_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(memory_below(root), None);
        write("proc/meminfo", "MemFree:  1 kB\nMemTotal:       1000 kB\n");
        assert_eq!(memory_below(root), Some(1_024_000));
        write("proc/self/cgroup", "5:cpu:/a\n0::/a/b\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        assert_eq!(memory_below(root), Some(1_024_000));
        write("sys/fs/cgroup/a/memory.max", "500000\n");
        assert_eq!(memory_below(root), Some(500_000));
        write("sys/fs/cgroup/memory.max", "900000\n");
        assert_eq!(memory_below(root), Some(500_000));
        write("proc/self/cgroup", "4:memory:/a\n");
        let file = "sys/fs/cgroup/memory/a/memory.limit_in_bytes";
        write(file, "9223372036854771712\n");
        assert_eq!(memory_below(root), Some(1_024_000));
        write(file, "70000");
        assert_eq!(memory_below(root), Some(70_000));
    }
}
