//! Cameras that should not be: each is a fault that names itself, and none ends the daemon.

use crate::played::{Rig, within};
use alarm::Fault;
use std::fmt::Write as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n";
const SOUND: &str = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 G726-32/8000\r\na=control:a\r\n";

/// What a bad camera does.
#[derive(Clone)]
struct Bad {
    /// Its session description.
    sdp: String,
    /// Its answer to DESCRIBE instead.
    refuses: Option<&'static str>,
    /// It sends pictures without parameter sets.
    sends: bool,
}

impl Bad {
    fn describing(media: &str) -> Self {
        let sdp = format!("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n{media}");
        Self { sdp, refuses: None, sends: false }
    }

    async fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtsp://{}/", listener.local_addr().unwrap());
        let base = url.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever asked may go at any time.
                tokio::spawn(self.clone().attend(stream, base.clone()));
            }
        });
        url
    }

    async fn attend(self, stream: TcpStream, base: String) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let (mut method, mut cseq) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await? {
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("cseq:") {
                cseq = number.trim().to_owned();
            } else if line.contains("RTSP/1.0") {
                method = line.split(' ').next().unwrap().to_owned();
            } else if line.is_empty() && !method.is_empty() {
                let answer = self.answer(&method, &cseq, &base);
                write.write_all(answer.as_bytes()).await?;
                if method == "PLAY" && self.sends {
                    return send(&mut write).await;
                }
                method.clear();
            }
        }
        Ok(())
    }

    fn answer(&self, method: &str, cseq: &str, base: &str) -> String {
        let mut answer = match self.refuses.filter(|_| method == "DESCRIBE") {
            Some(status) => format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n"),
            None => format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 1\r\n"),
        };
        match method {
            "DESCRIBE" if self.refuses.is_none() => {
                let (sdp, len) = (&self.sdp, self.sdp.len());
                let head =
                    format!("Content-Base: {base}\r\nContent-Type: application/sdp\r\nContent-Length: {len}");
                write!(answer, "{head}\r\n\r\n{sdp}").unwrap();
                return answer;
            }
            "SETUP" => answer.push_str("Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000001\r\n"),
            "PLAY" => write!(answer, "RTP-Info: url={base}v;seq=1;rtptime=0\r\n").unwrap(),
            _ => {}
        }
        answer + "\r\n"
    }
}

/// Ten pictures a second, each one slice that begins nothing.
async fn send(write: &mut tokio::net::tcp::OwnedWriteHalf) -> std::io::Result<()> {
    for n in 0_u16.. {
        let mut packet = vec![b'$', 0, 0, 20, 0x80, 0x80 | 96];
        packet.extend((n + 1).to_be_bytes());
        packet.extend((u32::from(n) * 9000).to_be_bytes());
        packet.extend([0, 0, 0, 1]);
        packet.extend([0x41, 0x9a, 0x02, 0x03, 0x04, 0x05, 0x06, 0x80]);
        write.write_all(&packet).await?;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn fault(bad: Bad) -> (Fault, String) {
    let url = bad.serve().await;
    let rig = Rig::with_camera(&url, "").await;
    let status = rig.until(|status| status.cameras[0].fault.is_some()).await;
    let shown = status.cameras[0].clone();
    rig.stop().await;
    (shown.fault.unwrap(), shown.reason.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_is_not_there_is_lost() {
    let rig = Rig::with_camera("rtsp://127.0.0.1:9/", "").await;
    let status = rig.until(|status| status.cameras[0].fault.is_some()).await;
    assert_eq!(status.cameras[0].fault, Some(Fault::CameraLost));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_that_is_none_is_a_fault() {
    let garbage = Bad { sdp: "\u{1}\u{2}not a description".into(), ..Bad::describing("") };
    let (fault, reason) = within(fault(garbage)).await;
    assert!(matches!(fault, Fault::CameraUnreadable | Fault::CameraLost), "{fault} {reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_without_a_picture_that_we_know_names_the_remedy() {
    let jpeg = "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:v\r\n";
    let (fault, reason) = fault(Bad::describing(jpeg)).await;
    assert_eq!(fault, Fault::CameraUnreadable);
    assert!(reason.contains("jpeg") && reason.contains("set the camera to H.264"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_named() {
    let refusing = Bad { refuses: Some("403 Forbidden"), ..Bad::describing(H264) };
    let (fault, reason) = fault(refusing).await;
    assert_eq!(fault, Fault::CameraUnreadable);
    assert!(reason.contains("check user and password"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_without_parameter_sets_are_a_fault() {
    let bare = Bad { sends: true, ..Bad::describing(H264) };
    let (fault, reason) = fault(bare).await;
    assert_eq!(fault, Fault::CameraUnreadable, "{reason}");
    assert!(reason.contains("parameter sets"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_that_nobody_knows_does_not_hide_that_the_picture_is_missing() {
    let silent = Bad::describing(&format!("{H264}{SOUND}"));
    let (fault, reason) = fault(silent).await;
    assert_eq!(fault, Fault::CameraLost, "{reason}");
    assert!(reason.contains("no picture"), "{reason}");
}
