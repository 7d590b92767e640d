"""A power cut, simulated: of PostgreSQL's files only what was synced is left (synced_files.c says how that is known)."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from faults import Target, descendants, kill_and_wait

SOURCE = Path(__file__).with_name("synced_files.c")


class Disk:
    """What is on the disk of a cluster, beside what the machine's memory pretends to be."""

    def __init__(self, cluster):
        self.cluster = Path(cluster)
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-disk-"))
        self.directory.chmod(0o777)
        self.store = self.directory / "store"
        self.library = self.directory / "synced_files.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE)], check=True)

    def environment(self):
        """For whatever starts PostgreSQL. The sanitizers would object to a library that comes before theirs."""
        options = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        return {"LD_PRELOAD": str(self.library), "CAUSEWAY_CUT_ROOT": str(self.cluster), "CAUSEWAY_CUT_STORE": str(self.store), "ASAN_OPTIONS": options}

    def begin(self):
        """Nothing runs: takes all that is there for synced."""
        shutil.rmtree(self.store, ignore_errors=True)
        for part in ("data", "names"):
            (self.store / part).mkdir(parents=True)
        script = "import ctypes,os,sys\nlibrary=ctypes.CDLL(sys.argv[1])\n" \
                 "for place,_,files in os.walk(sys.argv[2]):\n" \
                 "  for name in files:\n    fd=os.open(os.path.join(place,name),os.O_RDONLY); library.fsync(fd); os.close(fd)\n"
        subprocess.run(["python3", "-c", script, str(self.library), str(self.cluster)], check=True, env={**os.environ, **self.environment(), "LD_PRELOAD": ""})
        subprocess.run(["chmod", "-R", "a+rwX", str(self.store)], check=True)

    def cut(self):
        """From now on nothing reaches the disk."""
        (self.store / "cut").touch()

    def lose_memory(self):
        """Everything is dead: puts the cluster back to what is on the disk."""
        owner = self.cluster.stat()
        fresh = self.cluster.with_name(self.cluster.name + ".disk")
        for place, _, _ in os.walk(self.cluster):
            (fresh / Path(place).relative_to(self.cluster)).mkdir(parents=True, exist_ok=True)
        for place, _, files in os.walk(self.store / "names"):
            there = fresh / Path(place).relative_to(self.store / "names")
            there.mkdir(parents=True, exist_ok=True)
            for name in files:
                content = self.store / "data" / os.readlink(os.path.join(place, name))
                if content.exists():
                    content.rename(there / name)
                else:
                    (there / name).touch()
        subprocess.run(["chmod", "-R", "u=rwX,go=", str(fresh)], check=True)
        subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", str(fresh)], check=True)
        shutil.rmtree(self.cluster)
        fresh.rename(self.cluster)
        self.begin()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class CuttableTarget(Target):
    """A server with its embedded PostgreSQL, whose power can be cut."""

    faults = Target.faults + ["power", "power", "power"]

    def __init__(self, server):
        super().__init__(server)
        server.stop()
        self.disk = Disk(server.data / "postgres")
        self.disk.begin()
        server.environment.update(self.disk.environment())
        server.start()

    def strike(self, fault, random):
        if fault != "power":
            return super().strike(fault, random)
        self.disk.cut()
        kill_and_wait(self.everything())

    def bring_back(self, fault, random):
        if fault == "power":
            self.server.process.wait()
            self.disk.lose_memory()
        return super().bring_back(fault, random)

    def remove(self):
        self.disk.remove()


class OwnPostgres:
    """A cluster beside the server, with settings of one's choice."""

    BIN = Path("/usr/lib/postgresql/15/bin")

    def __init__(self, *settings):
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-own-"))
        self.directory.chmod(0o755)
        self.settings = ["listen_addresses=", f"unix_socket_directories={self.directory}", *settings]
        self.cluster = self.directory / "data"
        self.url = f"host={self.directory} user=causeway dbname=causeway"
        self.as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(self.directory, "postgres")
        self.command("initdb", "-D", self.cluster, "-U", "causeway", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self.disk = Disk(self.cluster)
        self.disk.begin()
        self.start()
        self.command("createdb", "-h", self.directory, "-U", "causeway", "-T", "template0", "causeway")

    def command(self, program, *arguments, **options):
        done = subprocess.run([*self.as_user, self.BIN / program, *arguments], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        assert done.returncode == 0, done.stdout

    def start(self):
        """As a child, so that it is reaped here: a dead postmaster whose zombie lingers looks alive to the next one."""
        options = [part for setting in self.settings for part in ("-c", setting)]
        with (self.directory / "log").open("ab") as log:
            self.postmaster = subprocess.Popen([*self.as_user, self.BIN / "postgres", "-D", self.cluster, *options], cwd="/", stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=log, env={**os.environ, **self.disk.environment()})
        while subprocess.run([self.BIN / "pg_isready", "-q", "-h", self.directory, "-U", "causeway"]).returncode != 0:
            assert self.postmaster.poll() is None, (self.directory / "log").read_text()[-2000:]
            time.sleep(0.02)

    def end(self, how):
        self.postmaster.send_signal(how)
        self.postmaster.wait()

    def stop(self):
        self.end(signal.SIGINT)

    def lose_memory(self):
        """After the disk was cut and all was killed. To be started again."""
        self.postmaster.wait()
        self.disk.lose_memory()

    def processes(self):
        return list(descendants(self.postmaster.pid))

    def remove(self):
        if self.postmaster.poll() is None:
            self.end(signal.SIGQUIT)
        self.disk.remove()
        shutil.rmtree(self.directory, ignore_errors=True)
