//! dump
#[test] fn dump(){ print!("{}", domicile::api::crds_yaml().unwrap()); }
