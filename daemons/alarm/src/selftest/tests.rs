mod model;
mod record;
mod schedule;
mod stroke;
