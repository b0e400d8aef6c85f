"""Files that are recognized as what they are; nothing else is in them."""

JPG = b"\xff\xd8\xff\xe0" + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
GIF = b"GIF89a" + bytes(20)
PDF = b"%PDF-1.7\n" + bytes(20)
VCARD = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nEND:VCARD\r\n"
MP3 = b"ID3\x04" + bytes(20)
AMR = b"#!AMR\n" + bytes(20)
MP4 = b"\x00\x00\x00\x20ftypisom" + bytes(20)
