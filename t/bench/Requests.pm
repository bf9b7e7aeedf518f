package Requests;

# The requests of the bench, signed as clients do, and who may send them.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter 'import';

use S3Sign;

our @EXPORT = qw(
    $Host $Issuer $Secret %KeysInFile %Minted @Clients @Uploads get_of_key key_in_file keyed_get large_get
    presigned_get signed_get signed_upload
);

our $Host       = 's3.example.com';
our $Secret     = 'a secret key of forty characters, or so.';
our @Clients    = map {"AKIDCLIENT$_"} 1 .. 8;
our $Issuer     = 'a secret of an issuer, which could not be guessed';
our %KeysInFile = (ten => 10, million => 1_000_000);
our %Minted;

# The ways to send an upload: what of it is signed, and the folder that says how it
# goes on. Each chunk of `size` bytes is signed by itself.
our @Uploads = (
    { name => 'hash',        title => 'signed hash' },
    { name => 'unsigned',    title => 'UNSIGNED-PAYLOAD', payload => 'UNSIGNED-PAYLOAD' },
    map {
        my ($size, $chunks) = @$_;
        (   { name => "trailer-$size", title => "trailer, kept, $chunks", kind => 'unsigned', size => $size },
            { name => "decoded-$size", title => "trailer, decoded, $chunks", kind => 'unsigned', size => $size, folder => 'decoded/' },
            { name => "signed-$size", title => "signed, $chunks", kind => 'signed', size => $size } )
    } [64 << 10, 'chunks of 64 KiB'], [1 << 20, 'chunks of 1 MiB'], [16 << 20, 'chunks of 16 MiB'],
);

# As the AWS CLI sends them. More options are those of S3Sign.
sub signed_get {
    my ($number, %more) = @_;
    my %request = (of_client($number), %more);
    my $target = join '?', $request{path}, $request{query} // ();
    return request(GET => $target, S3Sign::v4_headers(%request) . "accept-encoding: identity\n");
}

# As a browser that follows a presigned link, which may be from any time within the
# last hour, and is good until all rounds are done.
sub presigned_get {
    my $number = shift;
    my %request = (of_client($number), expires => 36_000, skew => -($number % 3_000));
    return request(GET => S3Sign::v4_target(%request), S3Sign::v4_target_headers(%request) . "accept: */*\n");
}

# The target says how long the answer is to be.
sub large_get {
    my ($folder, $bytes) = @_;
    return signed_get(1, path => "/$folder/bytes-$bytes/film.mp4");
}

sub key_in_file { return map { sprintf $_, $_[0] } 'AKID%016d', '%040d' }

sub keyed_get {
    my ($name, $number) = @_;
    return get_of_key($name, $number, $KeysInFile{$name} ? 1 + $number % 8 : ());
}

# By the key of that number in a file; else by the minted one.
sub get_of_key {
    my ($folder, $number, $key) = @_;
    my %of = %Minted;
    @of{qw(key secret token)} = key_in_file($key) if $key;
    my $path = sprintf '/of-%s/photo-%05d.jpg', $folder, $number;
    return request(GET => $path, S3Sign::v4_headers(%of, host => $Host, path => $path));
}

sub signed_upload {
    my ($way, $data, $folder, $number) = @_;
    my $path = sprintf '/%s%sphoto-%05d.jpg', $folder, $way->{folder} // '', $number;
    my %request = (of_client($number), %$way, method => 'PUT', path => $path);
    my ($headers, $body) = $way->{kind}
        ? S3Sign::v4_upload(%request, data => $data)
        : (S3Sign::v4_headers(%request, body => $data) . 'Content-Length: ' . length($data) . "\n", $data);
    return request(PUT => $path, $headers) . $body;
}

sub of_client {
    my $number = shift;
    return (
        key => $Clients[$number % @Clients], secret => $Secret, host => $Host,
        path => sprintf '/bucket/%s/photo-%05d.jpg', substr(sha256_hex($number), 0, 8), $number,
    );
}

sub request {
    my ($method, $target, $headers) = @_;
    return "$method $target HTTP/1.1\n${headers}user-agent: bench/1.0\n\n" =~ s/\n/\r\n/gr;
}

1;
