//! The command line, and the rig: a whole centre and schools on one computer, made of the real daemons, for the
//! demo and for tests. Rules, links and devices do not belong here; they are the daemons' and the libraries'.

pub mod api;
pub mod appliance;
pub mod commands;
pub mod control;
pub mod flash;
pub mod health;
pub mod rig;
pub mod sealing;
pub mod update;

pub use bundle::signed;
