//! What is wrong with an input that only the served rules can judge, said so that a person can put it right.

use serde::{Deserialize, Serialize};

/// One fault of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where, as a JSON pointer into the body.
    pub pointer: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub remedy: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

/// The name of `known` that is most like `word`, when it is like enough to be meant.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = (word.chars().count() / 2).clamp(1, 3);
    let ranked = known.map(|name| (distance(&word.to_lowercase(), &name.to_lowercase()), name));
    ranked.filter(|(far, _)| *far <= tolerance).min().map(|(_, name)| name)
}

/// The edit distance (Levenshtein) between two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let known = || ["tier", "city", "birthDate"].into_iter();
        assert_eq!(nearest("city ", known()), Some("city"));
        assert_eq!(nearest("birthdate", known()), Some("birthDate"));
        assert_eq!(nearest("tierr", known()), Some("tier"));
        assert_eq!(nearest("shoeSize", known()), None);
    }
}
