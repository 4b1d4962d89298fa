"""The many ways in which exports are written: training and the device must read the same from each."""

import gzip

VALUES = [[1.5, 1234.5], [1.6, 2.0]]
CONTENTS = [
    "time,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "\ufefftime,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "time,a,b\n0,1.5,1234.5\n1,1.6,2\n".encode("utf-16"),
    "time;a;b\n0;1,5;1234,5\n1;1,6;2\n",
    "time;a;b\n0;1,5;1.234,5\n1;1,6;2\n",
    "time\ta\tb\n0\t1,5\t1234,5\n1\t1,6\t2\n",
    'time,a,b\n0,"1,5","1234,5"\n1,"1,6","2,0"\n',
    'time,a,b\n0,1.5,"1,234.5"\n1,1.6,2\n',
    '"time","a","b"\r\n"0","1.5","1234.5"\r\n"1","1.6","2"\r\n',
    "sep=;\ntime;a;b\n0;1.5;1234.5\n1;1.6;2\n",
    "# Logger 5\n# serial 17\ntime,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "Logger 5\nSerial: 17\n\ntime,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "[Data]\ntime,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "#time,a,b\n0,1.5,1234.5\n1,1.6,2\n",
    "time,a,b\ns,bar,rpm\n0,1.5,1234.5\n1,1.6,2\n",
    "  time   a    b\n   0  1.5  1234.5\n   1  1.6  2.0\n",
    "time,a,b,\n0,1.5,1234.5,\n1,1.6,2,\n",
    "time,a,b\n0,1.5,1234.5,\n1,1.6,2,\n",
    "time,a,b\n\n0,1.5,1234.5\n\n\n1,1.6,2\n",
    "time,a,b,remark\n0,1.5,1234.5\n1,1.6,2\n",
    "time;a;b;remark;who\ns;bar;rpm;;\n0;1,5;1.234,5\n1;1,6;2\n",
    "time,a,b\n0,1.5,1234.5,,\n1,1.6,2,,\n",
    'time,a,b,note\n0,1.5,1234.5,"two\nlines"\n1,1.6,2,none\n',
    "time,a,b\n0,1.5 bar,1234.5 rpm\n1,1.6 bar,2 rpm\n",
    "time;a;b\n0;1,5 °C;1.234,5 m³/h\n1;1,6 °C;2 m³/h\n",
    "time,a,b\n0,1.5,1234.5\ntime,a,b\n1,1.6,2\n",
    "#group,false,true,true\n#datatype,long,double,double\n#default,,,\n,time,a,b\n,0,1.5,1234.5\n\n,time,a,b\n,1,1.6,2\n",
    '{"time": 0, "a": 1.5, "b": 1234.5}\n{"time": 1, "a": "1.6", "b": 2}\n',
    "pump,host=pi a=1.5,b=1234.5 0\npump,host=pi a=1.6,b=2i 1\n",
    gzip.compress(b"time,a,b\n0,1.5,1234.5\n1,1.6,2\n", mtime=0),
    gzip.compress("time,a,b\n0,1.5,1234.5\n1,1.6,2\n".encode("utf-16"), mtime=0),
]
"""Each holds the rows `VALUES` of channels a and b at 0 and 1 s."""
MOMENTS = [1705150800.0, 1705150860.0]
TIMES = [
    ("2024-01-13 13:00:00", "2024-01-13T13:01:00Z"),
    ("13.01.2024 13:00", "2024/01/13 13:01:00"),
    ("01/13/2024 13:00", "1/13/2024 13:01"),
    ("01/13/2024 1:00 PM", "01/13/2024 01:01:00 pm"),
    ("1705150800", "1705150860"),
    ("1705150800000", "1705150860000"),
    ("1705150800000000000", "1705150860000000000"),
    ("2024-01-13T14:00:00+01:00", "2024-01-13T08:01:00-05:00"),
    ("1705150800000000", "1705150860000000"),
    ("133496244000000000", "133496244600000000"),
    ("20240113130000", "20240113130100"),
    ("13.01.24 13:00", "13.01.24 13:01:00 Uhr"),
    ("2024-01-13 13:00:00 UTC", "2024-01-13 14:01:00 MEZ"),
    ("2024-01-13 13:00:00.000 +0000 UTC", "2024-01-13 14:01:00 +0100"),
    ("13 Jan 2024 13:00", "Sat 13-Jan-2024 13:01:00"),
    ("2024.01.13 13:00", "2024-1-13 13:01"),
]
"""Each is written for `MOMENTS`."""


def as_bytes(content):
    """A file's content as it goes to disk."""
    return content if isinstance(content, bytes) else content.encode()
