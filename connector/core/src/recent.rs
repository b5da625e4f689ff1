//! What was used lately, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by key: those used lately. The most that are kept are twice as many as it is made for.
///
/// What is used is in the young half; when that is full, it becomes the old one, and the old one is forgotten.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(crate) fn new(half: usize) -> Self {
        Self {
            half,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.put(key, value.clone());
        Some(value)
    }

    pub(crate) fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let mut recent = Recent::new(4);
        for number in 0..1000 {
            recent.put(number, number);
            assert_eq!(recent.get(&0), Some(0));
            assert_eq!(recent.get(&number), Some(number));
        }
        assert!(recent.young.len() + recent.old.len() <= 8);
        assert_eq!(recent.get(&1), None);
    }
}
