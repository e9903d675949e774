//! Who may do what in the console. One table, nothing else decides.

use serde::{Deserialize, Serialize};

/// What a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Auxiliary call-taker (辅警).
    Auxiliary,
    /// Regular call-taker (民警).
    Regular,
    /// Supervisor (值班长).
    Supervisor,
    /// Duty commander (指挥长).
    Commander,
    /// Technician (工程人员).
    Technician,
    /// Keeper of the accounts (系统管理员).
    Administrator,
}

/// Something a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Say that the alarm has been seen: stops the sound.
    Acknowledge,
    /// Take ownership of an incident.
    Answer,
    /// Offer, accept or withdraw a transfer.
    Transfer,
    /// Verify, dispatch and so on.
    Progress,
    /// Close with an outcome.
    Close,
    /// Open and close test windows.
    Test,
    /// Write the register of sites.
    Register,
    /// Register boxes, issue tickets, revoke.
    Enrol,
    /// Make and remove accounts.
    Accounts,
    /// Look at cameras without a press.
    Watch,
    /// Keep the recordings of an incident beyond their time.
    Hold,
    /// Add, rename and remove announcements.
    Announce,
    /// Add bundles and roll them out to boxes.
    Update,
}

impl Action {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::Acknowledge,
        Self::Answer,
        Self::Transfer,
        Self::Progress,
        Self::Close,
        Self::Test,
        Self::Register,
        Self::Enrol,
        Self::Accounts,
        Self::Watch,
        Self::Hold,
        Self::Announce,
        Self::Update,
    ];
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Auxiliary,
        Self::Regular,
        Self::Supervisor,
        Self::Commander,
        Self::Technician,
        Self::Administrator,
    ];

    /// Whether this role may do that.
    pub fn may(self, action: Action) -> bool {
        use Action::{
            Acknowledge, Announce, Answer, Close, Enrol, Hold, Progress, Register, Test, Transfer, Watch,
        };
        match self {
            Self::Auxiliary => matches!(action, Acknowledge | Answer | Transfer | Progress),
            Self::Regular => matches!(action, Acknowledge | Answer | Transfer | Progress | Close | Watch),
            Self::Supervisor | Self::Commander => matches!(
                action,
                Acknowledge
                    | Answer
                    | Transfer
                    | Progress
                    | Close
                    | Test
                    | Register
                    | Watch
                    | Hold
                    | Announce
            ),
            Self::Technician => matches!(action, Test | Register | Enrol | Watch),
            // The first account of a new centre: it can set everything up, and see that it works.
            Self::Administrator => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        //                 ack answer transf progr close test regist enrol account watch hold announce update
        let table = [
            (Role::Auxiliary, "xxxx........."),
            (Role::Regular, "xxxxx....x..."),
            (Role::Supervisor, "xxxxxxx..xxx."),
            (Role::Commander, "xxxxxxx..xxx."),
            (Role::Technician, ".....xxx.x..."),
            (Role::Administrator, "xxxxxxxxxxxxx"),
        ];
        assert_eq!(table.map(|(role, _)| role), Role::ALL);
        for (role, may) in table {
            let said = Action::ALL.map(|action| if role.may(action) { 'x' } else { '.' });
            assert_eq!(said.iter().collect::<String>(), may, "{role:?}");
        }
    }
}
