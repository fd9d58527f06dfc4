//! What an export says about itself: which objects it consists of, and what each was made of.
//!
//! A manifest may lag behind the objects, as when an export was killed between the two. It never counts
//! for more than the store's own word: an object whose tag is not the one written down is written again.

use std::collections::BTreeMap;

use lake::{Folder, Stored};
use serde::{Deserialize, Serialize};

use super::ExportError;

/// Below the export's folder. Readers of data folders pass over what begins with an underscore.
const FOLDER: &str = "_manifests";

/// The objects of one table or query.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Manifest {
    pub name: String,
    /// Whose rows: the lake's URL, and the versions of the tables they were read at.
    pub lake: String,
    pub versions: BTreeMap<String, u64>,
    /// What tells these versions from those of other tables that had the same names.
    #[serde(default)]
    pub commits: BTreeMap<String, String>,
    /// What else the objects depend on: columns, SQL, the way they are written.
    pub made_of: String,
    /// `day`, `month` or `none`.
    pub partition: String,
    pub exported_at: String,
    pub rows: u64,
    pub bytes: u64,
    pub objects: Vec<Object>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(super) struct Object {
    /// Below the export's folder.
    pub name: String,
    pub rows: u64,
    pub bytes: u64,
    pub fingerprint: String,
    pub e_tag: Option<String>,
}

impl Manifest {
    pub async fn read(folder: &Folder, name: &str) -> Result<Option<Manifest>, ExportError> {
        let path = path(name);
        let Some(bytes) = folder.get(&path).await? else {
            return Ok(None);
        };
        let manifest = serde_json::from_slice(&bytes).map_err(|error| {
            ExportError::Refused(format!(
                "{path} of the export cannot be read ({error}); remove the export's folder {name} and this \
                 file, and export again"
            ))
        })?;
        Ok(Some(manifest))
    }

    /// Marks the folder as this export's before there is any object; whoever comes first.
    pub async fn claim(&self, folder: &Folder) -> Result<(), ExportError> {
        folder.put_new(&path(&self.name), self.json()?).await?;
        Ok(())
    }

    pub async fn write(&self, folder: &Folder) -> Result<(), ExportError> {
        folder.put(&path(&self.name), self.json()?).await?;
        Ok(())
    }

    /// With the totals of the objects.
    pub fn of(self, mut objects: Vec<Object>) -> Manifest {
        objects.sort_by(|one, other| one.name.cmp(&other.name));
        Manifest {
            rows: objects.iter().map(|object| object.rows).sum(),
            bytes: objects.iter().map(|object| object.bytes).sum(),
            objects,
            ..self
        }
    }

    /// # Errors
    /// [`ExportError::Refused`] if `wanted` has other partitions.
    pub fn must_be_divided_like(
        &self,
        wanted: &Manifest,
        folder: &Folder,
    ) -> Result<(), ExportError> {
        if self.partition == wanted.partition {
            return Ok(());
        }
        Err(ExportError::Refused(format!(
            "{}{} is exported with --partition {}, so that {} would put every row there twice for a time; \
             use another folder, or remove this one and _manifests/{}.json",
            folder.url(),
            self.name,
            self.partition,
            wanted.partition,
            self.name
        )))
    }

    /// Whether it holds rows of the same lake that `other` is too old for.
    pub fn is_newer_than(&self, other: &Manifest) -> bool {
        let older = |table: &String, version: &u64| {
            other
                .versions
                .get(table)
                .is_some_and(|other| other < version)
        };
        self.lake == other.lake
            && self
                .versions
                .iter()
                .any(|(table, version)| older(table, version))
    }

    /// Whether it says what an export of `other` would: the same versions of the same tables, written alike.
    pub fn is_of(&self, other: &Manifest) -> bool {
        self.lake == other.lake
            && self.versions == other.versions
            && self.commits == other.commits
            && self.made_of == other.made_of
    }

    /// Whether these are its objects, all and as they were written.
    pub fn is_all_of(&self, stored: &[Stored]) -> bool {
        let is_same = |(object, stored): (&Object, &Stored)| {
            let tags = object.e_tag.as_ref().zip(stored.e_tag.as_ref());
            object.name == stored.name && tags.is_none_or(|(mine, theirs)| mine == theirs)
        };
        self.objects.len() == stored.len() && self.objects.iter().zip(stored).all(is_same)
    }

    /// The objects that are in the store as they were written, by name.
    pub fn standing<'a>(&'a self, stored: &[Stored]) -> BTreeMap<&'a str, &'a Object> {
        let tags: BTreeMap<&str, &Stored> = stored
            .iter()
            .map(|stored| (stored.name.as_str(), stored))
            .collect();
        let stands = |object: &&Object| {
            tags.get(object.name.as_str()).is_some_and(|stored| {
                stored.bytes == object.bytes
                    && stored.e_tag.is_some()
                    && stored.e_tag == object.e_tag
            })
        };
        let objects = self.objects.iter().filter(stands);
        objects
            .map(|object| (object.name.as_str(), object))
            .collect()
    }

    pub fn json(&self) -> Result<Vec<u8>, ExportError> {
        serde_json::to_vec_pretty(self).map_err(|error| ExportError::Refused(error.to_string()))
    }
}

fn path(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}
