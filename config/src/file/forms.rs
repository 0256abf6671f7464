//! Values that may be written in more than one form, and texts that have a form of their own. serde's `untagged`
//! would lose their places, so each says itself what it takes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use koigate_core::secret::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use crate::place::{Placed, Span};
use crate::schema::schema_of_inner;

/// One address or several.
#[derive(Debug)]
pub(crate) enum Addresses {
    /// `"127.0.0.1:8600"`
    One(String),
    /// `["127.0.0.1:8600", "[::1]:8600"]`
    Many(Vec<Placed<String>>),
}

/// One stage of a chain.
#[derive(Debug)]
pub(crate) enum Step {
    /// One backend.
    One(String),
    /// Backends asked together.
    Together(Vec<Placed<String>>),
}

/// A status, or a class of them.
#[derive(Debug)]
pub(crate) enum Status {
    /// `404`
    Number(i64),
    /// `"5xx"`
    Class(String),
}

/// A value that one of the document is compared with.
#[derive(Debug)]
pub(crate) enum Scalar {
    /// `"supergroup"`
    String(String),
    /// `-1001987654321`
    Integer(i64),
    /// `0.5`
    Float(f64),
    /// `true`
    Bool(bool),
}

/// A text that may be a secret: written here, or where it is.
#[derive(Debug)]
pub(crate) enum Text {
    /// The text itself.
    Plain(Secret),
    /// `{ env = "NAME" }` or `{ file = "path" }`
    Elsewhere(Elsewhere),
}

/// One text that may be a secret, or several.
#[derive(Debug)]
pub(crate) enum Texts {
    /// `"..."`, `{ env = "NAME" }` or `{ file = "path" }`
    One(Text),
    /// An array of these.
    Many(Vec<Placed<Text>>),
}

/// A table that may be left out by name: `false` is none, also where one would be inherited, and `true` is one that
/// says nothing.
#[derive(Debug)]
pub(crate) enum Switch<T> {
    /// `false`
    Off,
    /// `{ ... }` or `true`
    On(T),
}

/// Where a secret is. One of the two.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct Elsewhere {
    /// The environment variable that holds it.
    pub(crate) env: Option<Placed<String>>,
    /// The file that holds it, a newline at its end aside. A relative path begins at the configuration's folder.
    pub(crate) file: Option<Placed<String>>,
}

/// A table and nothing else. What serde derives for a struct would also take an array, by position.
#[derive(Debug)]
pub(crate) struct Table<T>(pub(crate) T);

/// A word out of a list, which is an enum. serde alone would also take a table for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) T);

/// A duration as it is written, such as `"500ms"`, `"5s"` or `"1m30s"`.
#[derive(Debug)]
pub(crate) struct DurationText(pub(crate) String);

/// A size as it is written, such as `"32MiB"`.
#[derive(Debug)]
pub(crate) struct SizeText(pub(crate) String);

// === impl Deserialize ===

/// Takes a value in whichever form it is written. `$take` is what each form becomes.
macro_rules! forms {
    ($name:ident, $expecting:literal, { $( $form:ident => $take:expr ),* $(,)? }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;

                impl<'de> Visitor<'de> for Forms {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    $( forms!(@ $form $name $take); )*
                }

                deserializer.deserialize_any(Forms)
            }
        }
    };
    (@ string $name:ident $take:expr) => {
        fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> { Ok($take(text.to_owned())) }
    };
    (@ integer $name:ident $take:expr) => {
        fn visit_i64<E: Error>(self, number: i64) -> Result<$name, E> { Ok($take(number)) }
    };
    (@ float $name:ident $take:expr) => {
        fn visit_f64<E: Error>(self, number: f64) -> Result<$name, E> { Ok($take(number)) }
    };
    (@ boolean $name:ident $take:expr) => {
        fn visit_bool<E: Error>(self, value: bool) -> Result<$name, E> { Ok($take(value)) }
    };
    (@ array $name:ident $take:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<$name, A::Error> {
            Deserialize::deserialize(SeqAccessDeserializer::new(elements)).map($take)
        }
    };
    (@ table $name:ident $take:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<$name, A::Error> {
            Deserialize::deserialize(MapAccessDeserializer::new(members)).map($take)
        }
    };
}

forms!(Addresses, "a string or an array of strings", { string => Addresses::One, array => Addresses::Many });
forms!(Step, "a backend's name or an array of names", { string => Step::One, array => Step::Together });
forms!(Status, "a number or a class such as \"5xx\"", { integer => Status::Number, string => Status::Class });
forms!(Scalar, "a string, a number or a boolean", {
    string => Scalar::String,
    integer => Scalar::Integer,
    float => Scalar::Float,
    boolean => Scalar::Bool,
});
forms!(Text, "a string, { env = \"NAME\" } or { file = \"path\" }", {
    string => |text: String| Text::Plain(Secret::new(text)),
    table => Text::Elsewhere,
});
forms!(Texts, "a string, { env = \"NAME\" }, { file = \"path\" } or an array of these", {
    string => |text: String| Texts::One(Text::Plain(Secret::new(text))),
    table => |elsewhere| Texts::One(Text::Elsewhere(elsewhere)),
    array => Texts::Many,
});
forms!(DurationText, "a duration such as \"5s\"", { string => DurationText });
forms!(SizeText, "a size such as \"32MiB\"", { string => SizeText });

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Words<T> {
            type Value = Word<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word<T>, E> {
                T::deserialize(text.into_deserializer()).map(Word)
            }
        }

        deserializer.deserialize_any(Words(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        table(deserializer).map(Table)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Switch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Switches<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Switches<T> {
            type Value = Switch<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, true or false")
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<Switch<T>, E> {
                Ok(if is_on {
                    Switch::On(T::default())
                } else {
                    Switch::Off
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Switch<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Switch::On)
            }
        }

        deserializer.deserialize_any(Switches(PhantomData))
    }
}

/// Takes what a [`Table`] holds.
pub(super) fn table<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Tables<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Tables<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_any(Tables(PhantomData))
}

/// Takes a table of tables by name.
pub(super) fn tables<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Placed<String>, T>, D::Error> {
    let named: BTreeMap<Placed<String>, Table<T>> = table(deserializer)?;
    Ok(named.into_iter().map(|(name, table)| (name, table.0)).collect())
}

// === impl Texts ===

impl Placed<Texts> {
    /// Each text and where it stands.
    pub(crate) fn each(&self) -> Vec<(&Text, &Span)> {
        match &self.value {
            Texts::One(text) => vec![(text, &self.span)],
            Texts::Many(texts) => texts.iter().map(|text| (&text.value, &text.span)).collect(),
        }
    }
}

// === impl JsonSchema ===

schema_of_inner!(Word);
schema_of_inner!(Table);

impl<T: JsonSchema> JsonSchema for Switch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Switch{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "table, or `true`, `false`",
            "anyOf": [{ "type": "boolean" }, generator.subschema_for::<T>()],
        })
    }
}

/// The schema of a form, written out where it is used.
macro_rules! schema {
    ($name:ident, |$generator:ident| $schema:expr) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

schema!(Addresses, |_generator| json_schema!({
    "title": "address, or array of addresses",
    "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
}));
schema!(Step, |_generator| json_schema!({
    "title": "backend, or array of backends",
    "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }],
}));
schema!(Status, |_generator| json_schema!({
    "title": "status, or class such as `\"5xx\"`",
    "anyOf": [
        { "type": "integer", "minimum": 201, "maximum": 999 },
        { "type": "string", "pattern": "^[3-9]xx$" },
    ],
}));
schema!(Scalar, |_generator| json_schema!({
    "title": "string, number or boolean",
    "type": ["string", "number", "boolean"],
}));
schema!(Text, |generator| json_schema!({
    "title": "secret",
    "anyOf": [{ "type": "string" }, generator.subschema_for::<Elsewhere>()],
}));
schema!(Texts, |generator| {
    let text = generator.subschema_for::<Text>();
    json_schema!({
        "title": "secret, or array of secrets",
        "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }],
    })
});
schema!(DurationText, |_generator| json_schema!({
    "title": "duration",
    "type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2,
}));
schema!(SizeText, |_generator| json_schema!({
    "title": "size",
    "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$",
}));
