package Figures;

# What rounds of measurements say: medians with their 95 % intervals, held to limits.

use strict;
use warnings;

use Exporter 'import';
use POSIX qw(ceil floor);

our @EXPORT = qw(beyond median medians verdict);

# Prints whether the median of values holds a limit; returns that.
sub verdict {
    my ($what, $format, $values, $limit, $holds) = @_;
    my @sorted = sort { $a <=> $b } @$values;
    my $median = median(@sorted);
    my $passed = $holds->($median);
    printf "%s  %-18s  median $format ($format to $format), %s\n", $passed ? 'PASS' : 'FAIL',
        $what, $median, interval(@sorted), $limit;
    return $passed;
}

# The 95 % interval of the median of sorted values: between two of them, whatever
# their distribution (by the normal approximation of the binomial).
sub interval {
    my $half = 0.98 * sqrt @_;
    my ($low, $high) = (floor(@_ / 2 - $half), ceil(@_ / 2 + $half));
    return @_[$low < 0 ? 0 : $low, $high > $#_ ? $#_ : $high];
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# Of the columns of rows.
sub medians {
    my @rows = @_;
    return map { my $i = $_; median(map { $_->[$i] } @rows) } 0 .. $#{ $rows[0] };
}

# A verdict on what noise can hide: it fails where all of the interval is beyond the limit.
sub beyond {
    my ($what, $format, $values, $limit, $unit) = @_;
    my $holds = sub { (interval(sort { $a <=> $b } @$values))[0] <= $limit };
    return verdict($what, $format, $values, "not surely more than $limit $unit", $holds);
}

1;
