//! Generated from `wit/step.wit`: what the host offers, and one module of exports for each interface.

/// What every step imports.
pub mod host {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package pinion:sdk;
            world guest {
                import pinion:step/arrow@0.1.0;
                import pinion:step/context@0.1.0;
                import pinion:step/ports@0.1.0;
            }
        ",
        world: "pinion:sdk/guest",
        ownership: Borrowing { duplicate_if_necessary: true },
        generate_all,
    });
}

// One world for each exported interface rather than one for each kind: four worlds that all export
// `step` would define its export macro four times. The linker merges the worlds that a step uses.
macro_rules! exports {
    ($module:ident, $export:literal, $world:literal, $inline:literal $(, $shared:literal = $path:ident)*) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                inline: $inline,
                world: $world,
                ownership: Borrowing { duplicate_if_necessary: true },
                pub_export_macro: true,
                export_macro_name: $export,
                with: { $($shared: crate::bindings::host::pinion::step::$path),* },
                generate_all,
            });
        }
    };
}
exports!(
    step,
    "export_step",
    "pinion:sdk/step-exports",
    "package pinion:sdk; world step-exports { export pinion:step/step@0.1.0; }",
    "pinion:step/arrow@0.1.0" = arrow,
    "pinion:step/ports@0.1.0" = ports
);
exports!(
    source,
    "export_source",
    "pinion:sdk/source-exports",
    "package pinion:sdk; world source-exports { export pinion:step/source@0.1.0; }",
    "pinion:step/arrow@0.1.0" = arrow
);
exports!(
    row_map,
    "export_row_map",
    "pinion:sdk/row-map-exports",
    "package pinion:sdk; world row-map-exports { export pinion:step/row-map@0.1.0; }",
    "pinion:step/arrow@0.1.0" = arrow
);
exports!(
    reduce,
    "export_reduce",
    "pinion:sdk/reduce-exports",
    "package pinion:sdk; world reduce-exports { export pinion:step/reduce@0.1.0; }",
    "pinion:step/arrow@0.1.0" = arrow
);
exports!(
    whole_table,
    "export_whole_table",
    "pinion:sdk/whole-table-exports",
    "package pinion:sdk; world whole-table-exports { export pinion:step/whole-table@0.1.0; }",
    "pinion:step/arrow@0.1.0" = arrow
);
