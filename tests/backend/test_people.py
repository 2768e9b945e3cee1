from tests.backend.conftest import PASSWORD, login


async def test_log_in_and_out(app, client):
    await login(app, "ann")
    answer = await client.post("/api/auth/login", json={"user": "Ann", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert (await client.get("/api/auth/me", headers=headers)).json()["user"] == "ann"
    assert (await client.post("/api/auth/logout", headers=headers)).status_code == 204
    dead = await client.get("/api/auth/me", headers=headers)
    assert dead.status_code == 401
    assert dead.json()["kind"] == "LoginNeeded"
