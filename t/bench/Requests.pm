package Requests;

# The requests of the bench, signed as clients do, and who may send them.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter 'import';

use S3Sign;

our @EXPORT = qw(
    $Host $Issuer $Secret %KeysInFile %Minted @Clients key_in_file keyed_request signed_request signed_upload
);

our $Host     = 's3.example.com';
our $Secret   = 'a secret key of forty characters, or so.';
our @Clients  = map {"AKIDCLIENT$_"} 1 .. 8;
our $Issuer   = 'a secret of an issuer, which could not be guessed';
our %KeysInFile = (ten => 10, million => 1_000_000);
our %Minted;

sub key_in_file { return map { sprintf $_, $_[0] } 'AKID%016d', '%040d' }

sub keyed_request {
    my ($name, $number, %of) = (@_, %Minted);
    @of{qw(key secret token)} = key_in_file(1 + $number % 8) if $KeysInFile{$name};
    my $path = sprintf '/%s/photo-%05d.jpg', $name, $number;
    my $headers = S3Sign::v4_headers(%of, host => $Host, path => $path);
    return "GET $path HTTP/1.1\n${headers}user-agent: bench/1.0\n\n" =~ s/\n/\r\n/gr;
}

# As the AWS CLI sends them, or a browser that follows a presigned link, which may
# be from any time within the last hour.
sub signed_request {
    my $number = shift;

    my %request = (
        key => $Clients[$number % @Clients], secret => $Secret, host => $Host, expires => 3600,
        path => sprintf('/bucket/%s/photo-%05d.jpg', substr(sha256_hex($number), 0, 8), $number),
    );
    my ($target, $headers) = $number % 2
        ? ($request{path}, S3Sign::v4_headers(%request) . "accept-encoding: identity\n")
        : (S3Sign::v4_target(%request, skew => -($number % 3_000)), S3Sign::v4_target_headers(%request) . "accept: */*\n");
    return "GET $target HTTP/1.1\n${headers}user-agent: bench/1.0\n\n" =~ s/\n/\r\n/gr;
}

sub signed_upload {
    my ($way, $data) = @_;
    my ($headers, $body) = S3Sign::v4_upload(
        key => $Clients[0], secret => $Secret, host => $Host, data => $data, %$way{qw(kind path size)});
    return "PUT $way->{path} HTTP/1.1\n$headers\n" =~ s/\n/\r\n/gr . $body;
}

1;
