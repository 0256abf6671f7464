//! The file's JSON Schema. TOML has no null: a key that may be left out is left out, so the null that an
//! `Option` brings is taken out of the schema.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, json_schema};

use crate::file::File;

/// The JSON Schema of the file, for editors and for the reference of keys.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(WithoutNull);
    settings.into_generator().into_root_schema_for::<File>()
}

/// The schema of what is wrapped, under its name.
macro_rules! schema_of_inner {
    ($name:ident) => {
        impl<T: schemars::JsonSchema> schemars::JsonSchema for $name<T> {
            fn inline_schema() -> bool {
                T::inline_schema()
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                T::schema_name()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                T::schema_id()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                T::json_schema(generator)
            }
        }
    };
}

pub(crate) use schema_of_inner;

/// Takes null out of types, lists of values, and alternatives.
#[derive(Debug, Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let null = json_schema!({ "type": "null" });
        for (keyword, null) in [
            ("type", &"null".into()),
            ("enum", &().into()),
            ("anyOf", null.as_value()),
        ] {
            if let Some(several) = schema.get_mut(keyword).and_then(|value| value.as_array_mut()) {
                several.retain(|one| one != null);
            }
        }
        // What is left alone needs no list.
        if let Some([one]) = schema
            .get("type")
            .and_then(|value| value.as_array())
            .map(Vec::as_slice)
        {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
}
