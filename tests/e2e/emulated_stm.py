"""The STM32 of a MuxPi on a pseudo-terminal, as far as its firmware matters to dryad."""

import os
import select
import threading
import time
import tty


class EmulatedStm:
    """`tty` is what dryad opens. The rest is what somebody in front of the board sees."""

    def __init__(self):
        self.master, slave = os.openpty()
        tty.setraw(self.master)
        self.tty = os.ttyname(slave)
        # Held open, or the line would hang up each time that dryad closes it.
        self._slave = slave
        self.display = ["", ""]
        self.leds = {"1": "0 0 0", "2": "0 0 0"}
        self.power = self.sd_at_dut = False
        self.ticks = 0
        self.milliamperes = 240
        self.silent = False
        self._echo = True
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._stopping = True
        self._thread.join()
        os.close(self.master)
        os.close(self._slave)

    def _serve(self):
        partial = b""
        while not self._stopping:
            if not select.select([self.master], [], [], 0.05)[0]:
                continue
            partial += os.read(self.master, 512)
            *lines, partial = partial.split(b"\n")
            for line in lines:
                answer = self._answer(line.decode())
                if answer and not self.silent:
                    os.write(self.master, answer.encode())

    def _answer(self, line):
        echoed = line + "\r\n" if self._echo else ""
        if not line:
            return echoed
        output = self._obey(line.split())
        return echoed + ("Unknown command\n" if output is None else output + "OK\n")

    def _obey(self, words):
        match words:
            case ["echo", on]:
                self._echo = on == "on"
                return f"Echo is {on} now.\n"
            case ["power", "tick", pause]:
                self.power = False
                time.sleep(int(pause) / 1000)
                self.power = True
                self.ticks += 1
            case ["power", on]:
                self.power = on == "on"
            case ["dut" | "ts" as where]:
                self.sd_at_dut = self.power = where == "dut"
            case ["current"]:
                return f"{self.milliamperes if self.power else 0}\n"
            case ["clr"]:
                self.display = ["", ""]
            case ["text", "0", "0" | "16" as row, "on", *text]:
                self.display[int(row) // 16] = " ".join(text)
            case ["led", number, *colour]:
                self.leds[number] = " ".join(colour)
            case ["hdmi", _] | ["dyper", _, _]:
                pass
            case _:
                return None
        return ""
