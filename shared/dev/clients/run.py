"""Runs clients that nobody here wrote against the CRM simulators: what is in functions/connector/<crm>/simulator/foreign. What is in
functions/connector/<package>/foreign reads what that package writes: it needs no simulator.

usage: run.py <where clients are installed> <where the simulators' commands are>

A folder holds *_client.py, *_client.cjs, and what they need, pinned: requirements.txt for pip, npm.txt for npm. Each client gets a
simulator of its own on a free port of this machine, which lets in the demo tenant's binding alone, as the local runtime's does; it
finds SIMULATOR_URL and BINDING (JSON) in its environment. This fails if one of them does. Where node or npm is missing, the .cjs are
skipped, which is printed, and is a failure if CI is set.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv

DEMO = pathlib.Path("events/tenants/demo.json")


def install(folder, at):
    """Installs what a folder pins, unless it is there already."""
    pinned = {name: (folder / name).read_text() for name in ("requirements.txt", "npm.txt") if (folder / name).exists()}
    note, done = at / "installed.json", json.dumps(pinned)
    if note.exists() and note.read_text() == done:
        return
    shutil.rmtree(at, ignore_errors=True)
    venv.create(at, with_pip=True)
    pip = [at / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", folder / "requirements.txt"]
    subprocess.run(pip, check=True)
    if "npm.txt" in pinned and has_node():
        npm = ["npm", "install", "--loglevel=error", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", at]
        subprocess.run(npm + pinned["npm.txt"].split(), check=True)
    note.write_text(done)


def has_node():
    return shutil.which("node") and shutil.which("npm")


def binding(crm, folder):
    """Returns what the demo tenant binds of a CRM, or, of one that it does not bind yet, what the folder says."""
    if (folder / "binding.json").exists():
        return json.loads((folder / "binding.json").read_text())
    for bound in json.loads(DEMO.read_text())["tenant"]["crms"]:
        if bound["kind"] == crm:
            return bound
    sys.exit(f"clients: {DEMO} binds no {crm}")


def serve(command, bound):
    """Starts a simulator and returns it with its URL, which is in the first line it logs."""
    environment = dict(os.environ, SIMULATOR_TOKEN=bound["token"], SIMULATOR_SETTINGS=json.dumps(bound.get("settings", {})))
    process = subprocess.Popen(
        [command, "-listen", "127.0.0.1:0"], env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    line = process.stderr.readline()
    try:
        return process, json.loads(line)["url"]
    except (ValueError, KeyError):
        sys.exit(f"clients: {command} does not serve: {line}{process.stderr.read()}")


def run(script, at, environment):
    """Runs a client and returns whether all went well."""
    if script.suffix == ".py":
        return subprocess.run([at / "bin/python", script], env=environment).returncode == 0
    if not (at / "node_modules").exists():
        print(f"SKIPPED: {script}: install node and npm for it")
        return not os.environ.get("CI")
    return subprocess.run(["node", script], env=dict(environment, NODE_PATH=str(at.resolve() / "node_modules"))).returncode == 0


def main(installed, commands):
    failed = []
    for folder in sorted(pathlib.Path("functions/connector").glob("*/simulator/foreign")):
        crm = folder.parts[-3]
        at, bound = pathlib.Path(installed, crm), binding(crm, folder)
        install(folder, at)
        for script in sorted(folder.glob("*_client.*")):
            process, url = serve(pathlib.Path(commands, crm + "-simulate").resolve(), bound)
            here = str(pathlib.Path(__file__).parent)
            environment = dict(os.environ, SIMULATOR_URL=url, BINDING=json.dumps(bound), PYTHONPATH=here, PYTHONDONTWRITEBYTECODE="1")
            try:
                if not run(script, at, environment):
                    failed.append(str(script))
            finally:
                process.stdin.close()
                process.terminate()
                process.wait()
    for folder in sorted(pathlib.Path("functions/connector").glob("*/foreign")):
        at = pathlib.Path(installed, folder.parts[-2])
        install(folder, at)
        for script in sorted(folder.glob("*_client.*")):
            environment = dict(os.environ, PYTHONPATH=str(pathlib.Path(__file__).parent), PYTHONDONTWRITEBYTECODE="1")
            if not run(script, at, environment):
                failed.append(str(script))
    if failed:
        sys.exit("clients: these differ: " + ", ".join(failed))


if __name__ == "__main__":
    main(*sys.argv[1:])
