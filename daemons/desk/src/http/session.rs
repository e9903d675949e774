//! First account, signing in and out.

use super::auth::{COOKIE, OwnPage, Signed};
use super::door::Remote;
use super::problem::Refusal;
use super::{App, Changed, DONE, Done, Setting, changed};
use crate::sessions::LONGEST;
use crate::view::{Me, NewSetup, SignIn};
use crate::{accounts, clock, show};
use alarm::event::Actor;
use alarm::register::Account;
use alarm::role::{Action, Role};
use alarm::{SeatId, UserId};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{StatusCode, header};
use axum::response::AppendHeaders;
use std::sync::{Arc, PoisonError};

type Cookie = AppendHeaders<[(header::HeaderName, String); 1]>;

/// Whether the first account is still to be made.
#[utoipa::path(get, path = "/api/setup", responses((status = 200, body = Setting)))]
pub(super) async fn setup(State(app): State<Arc<App>>) -> Json<Setting> {
    Json(Setting { needed: app.setup.is_needed(), centre: app.centre.clone() })
}

/// Makes the first account, an administrator, with the one-time code.
#[utoipa::path(post, path = "/api/setup", request_body = NewSetup, responses((status = 200, body = Done)))]
pub(super) async fn make_first(
    State(app): State<Arc<App>>,
    ConnectInfo(remote): ConnectInfo<Remote>,
    _: OwnPage,
    Json(new): Json<NewSetup>,
) -> Changed<Done> {
    if !app.setup.is_needed() {
        return Err(Refusal::new(StatusCode::CONFLICT, "setup-done", "the first account exists: sign in"));
    }
    let source = ("setup".to_owned(), remote.to_string());
    wait_over(&app, &source)?;
    let user = UserId::new(new.user)?;
    usable(&new.password)?;
    if !app.setup.try_code(&new.code) {
        lockout(&app).wrong(source, clock::mono());
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "wrong-code",
            "the code is on the rack's screen and in its log",
        ));
    }
    let account = Account { user: user.clone(), name: new.name, role: Role::Administrator };
    app.engine.read(|centre| centre.make_account(account.clone(), Actor::Desk))?;
    accounts::keep(&app.engine, &user, new.password).await?;
    let seq = app.engine.commit(|centre, _| centre.make_account(account, Actor::Desk))?;
    app.setup.end();
    changed(&app, seq, DONE).await
}

/// Signs in at a workplace.
#[utoipa::path(post, path = "/api/session", request_body = SignIn, responses((status = 200, body = Me)))]
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    ConnectInfo(remote): ConnectInfo<Remote>,
    _: OwnPage,
    Json(given): Json<SignIn>,
) -> Result<(Cookie, Json<Me>), Refusal> {
    let source = (given.user.clone(), remote.to_string());
    wait_over(&app, &source)?;
    let seat = SeatId::new(given.seat)?;
    let known = UserId::new(given.user).ok();
    let right = match &known {
        Some(user) => accounts::check(&app.engine, user, given.password).await?,
        None => false,
    };
    let account =
        known.filter(|_| right).and_then(|user| app.engine.read(|centre| centre.account(&user).cloned()));
    let Some(account) = account else {
        lockout(&app).wrong(source, clock::mono());
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "wrong-password", "user or password is wrong"));
    };
    lockout(&app).right(&source);
    app.engine.commit(|centre, _| centre.open_seat(&seat, &account.user))?;
    app.engine.with(|_, live| live.expect_seat(&seat));
    let token = app.sessions.open(&app.engine, account.user.clone(), seat.clone()).await?;
    Ok((cookie(&app, &token, LONGEST.as_secs()), Json(view(account.user, account.name, account.role, seat))))
}

/// Who is signed in here.
#[utoipa::path(get, path = "/api/session", responses((status = 200, body = Me), (status = 401)))]
pub(super) async fn me(signed: Signed) -> Json<Me> {
    Json(view(signed.user, signed.name, signed.role, signed.seat))
}

/// Signs out. Not while the seat owns incidents.
#[utoipa::path(delete, path = "/api/session", responses((status = 200, body = Done), (status = 409)))]
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    signed: Signed,
) -> Result<(Cookie, Json<Done>), Refusal> {
    app.engine.commit(|centre, _| centre.close_seat(&signed.seat))?;
    app.engine.with(|_, live| live.forget_seat(&signed.seat));
    app.sessions.end(&app.engine, &signed.token).await?;
    Ok((cookie(&app, "", 0), Json(DONE())))
}

fn view(user: UserId, name: String, role: Role, seat: SeatId) -> Me {
    let may = Action::ALL
        .into_iter()
        .filter(|action| role.may(*action))
        .map(|action| show::word(&action))
        .collect();
    Me { user: user.into(), name, role: show::word(&role), seat: seat.into(), may }
}

fn cookie(app: &App, token: &str, seconds: u64) -> Cookie {
    let secure = if app.secure { "; Secure" } else { "" };
    let value = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    AppendHeaders([(header::SET_COOKIE, value)])
}

pub(super) fn usable(password: &str) -> Result<(), Refusal> {
    if accounts::is_usable(password) {
        return Ok(());
    }
    let detail = format!("a password has at least {} characters", accounts::PASSWORD_MIN);
    Err(Refusal::new(StatusCode::BAD_REQUEST, "weak-password", detail))
}

fn wait_over(app: &App, source: &crate::lockout::Source) -> Result<(), Refusal> {
    match lockout(app).wait(source, clock::mono()) {
        None => Ok(()),
        Some(wait) => {
            let detail = format!("too many wrong tries: wait {} s", wait.as_secs() + 1);
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "locked-out", detail))
        }
    }
}

fn lockout(app: &App) -> std::sync::MutexGuard<'_, crate::lockout::Lockout> {
    app.lockout.lock().unwrap_or_else(PoisonError::into_inner)
}
